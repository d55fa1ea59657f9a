"""The HTTP API of shared policies: listing, reading, creating, changing, deleting (ADR 0031)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import policies, policy_listing
from agents_app.api_docs import IF_MATCH, SLICE, operation
from agents_app.api_permissions import Needs
from agents_app.api_policy_shapes import PolicyChange, PolicyList, PolicyRecord
from agents_app.api_request import body_of, slice_of, somebody
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.etag import etag_of, expected_revision, over_latest
from agents_app.models import Policy
from agents_app.policies import PolicyResult
from agents_app.policy_use import content_of
from agents_app.policy_wire import MANAGED, policy_json
from agents_app.publish_hooks import policy_checks
from agents_app.sight import visible_agents
from agents_app.spec import ParsedPolicy, SharedPolicySpec, parse_policy

TAG: Final = "policies"
GONE, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY
TAKEN, STALE = HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED


class Policies(APIView):
    """All shared policies."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_policy", "POST": "agents_app.add_policy"}

    @operation("list_policies", tag=TAG, answers={200: PolicyList}, failures=[WRONG], query=SLICE)
    def get(self, request: Request) -> Response:
        """List policies by name. A key that is bound to agents sees those that its agents use."""
        part, only = slice_of(request.query_params), visible_agents(request.user)
        rows = policy_listing.listed(only)
        page = list(rows[part.skip : part.end])
        users = policy_listing.users([policy.name for policy in page], only)
        found = [policy_json(policy, users[policy.name]) for policy in page]
        return Response({"policies": found, "total": rows.count(), "skip": part.skip, "limit": part.limit})

    @operation(
        "create_policy", tag=TAG, answers={201: PolicyChange}, failures=[TAKEN, WRONG], body=SharedPolicySpec
    )
    def post(self, request: Request) -> Response:
        """Create a policy: publish its first version. Agents use it with `policy: {use: NAME}`."""
        if visible_agents(request.user) is not None:
            raise PermissionDenied("This key is bound to agents, and no agent uses a new policy.")
        parsed = parse_policy(_sent(body_of(request)))
        done = policies.publish(
            parsed, by=somebody(request), now=_now(), checks=policy_checks(), must_be_new=True
        )
        answer = changed(done, f"Policy '{done.policy.name}' created", status=HTTPStatus.CREATED)
        answer["Location"] = f"/api/v1/policies/{done.policy.name}"
        return answer


class PolicyDetail(APIView):
    """One shared policy."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {
        "GET": "agents_app.view_policy",
        "PUT": "agents_app.change_policy",
        "DELETE": "agents_app.delete_policy",
    }

    @operation("get_policy", tag=TAG, answers={200: PolicyRecord}, failures=[GONE])
    def get(self, request: Request, name: str) -> Response:
        """Show a policy and the agents that use it. The ETag is for If-Match."""
        only = visible_agents(request.user)
        policy = policy_listing.seen(name, only)
        users = policy_listing.users([name], only)[name]
        return Response(policy_json(policy, users), headers={"ETag": etag_of(policy)})

    @operation(
        "update_policy",
        tag=TAG,
        answers={200: PolicyChange},
        failures=[GONE, STALE, WRONG],
        body={"application/json": {"type": "object", "additionalProperties": True}},
        query=[IF_MATCH],
    )
    def put(self, request: Request, name: str) -> Response:
        """Change a policy in part, and publish every agent that uses it again: all of them or none.

        What is sent replaces what was said; null brings the default back.
        """
        done = _change(request, name, body_of(request))
        return changed(done, f"Version {done.version.number} is current")

    @operation(
        "delete_policy",
        tag=TAG,
        answers={200: PolicyChange},
        failures=[GONE, TAKEN, STALE],
        query=[IF_MATCH],
    )
    def delete(self, request: Request, name: str) -> Response:
        """Delete a policy that no agent uses. Its versions stay on record."""
        only = visible_agents(request.user)
        revision = expected_revision(request, policy_listing.seen(name, only))
        policies.archive(name, now=_now(), if_revision=revision, only=only)
        gone = {"success": True, "policy": None, "message": f"Policy '{name}' deleted"}
        return Response({**gone, "published": [], "warnings": []})


def changed(done: PolicyResult, message: str, *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer that a policy was changed, with the policy. Whoever changes one sees all that use it."""
    policy = done.policy
    users = policy_listing.users([policy.name])[policy.name]
    body = {"success": True, "policy": policy_json(policy, users), "message": message}
    told = {**body, "published": list(done.agents), "warnings": list(done.warnings)}
    return Response(told, status=status, headers={"ETag": etag_of(policy)})


def publish_over(request: Request, parsed: ParsedPolicy, policy: Policy) -> PolicyResult:
    """Publish a policy's next version over the state in which it was seen, as far as the caller reaches.

    Raises what `policies.publish` does.
    """
    return policies.publish(
        parsed,
        by=somebody(request),
        now=_now(),
        checks=policy_checks(),
        if_revision=policy.revision,
        only=visible_agents(request.user),
    )


def _change(request: Request, name: str, changes: Mapping[str, Any]) -> PolicyResult:
    """Merge changes into the policy as it is."""

    def change() -> PolicyResult:
        policy = policy_listing.seen(name, visible_agents(request.user))
        expected_revision(request, policy)
        return publish_over(request, parse_policy(_merged(policy, changes)), policy)

    return over_latest(request, change)


def _merged(policy: Policy, changes: Mapping[str, Any]) -> dict[str, Any]:
    if changes.get("name") not in (None, policy.name):
        raise SpecInvalid(errors=[SpecProblem("name", "never changes; create another policy instead")])
    version = policy.current_version
    said = content_of(version).model_dump(mode="json") if version else {}
    values = {"description": policy.description or None, **said, **_sent(changes), "name": policy.name}
    return {field: value for field, value in values.items() if value is not None}


def _sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a client has read, it may send back."""
    return {field: value for field, value in body.items() if field not in MANAGED}


def _now() -> datetime:
    return datetime.now(UTC)
