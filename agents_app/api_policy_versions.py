"""The HTTP API of the versions of shared policies: reading, comparing, going back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import policy_listing
from agents_app.agent_wire import version_json
from agents_app.api_docs import IF_MATCH, SLICE, operation
from agents_app.api_permissions import Needs
from agents_app.api_policies import GONE, STALE, TAG, WRONG, changed, publish_over
from agents_app.api_policy_shapes import PolicyChange, PolicyDiff, PolicyVersionContent
from agents_app.api_request import body_of, slice_of
from agents_app.api_shapes import RollbackBody, VersionList
from agents_app.api_versions import COMPARED, compared, wanted_version
from agents_app.diff import diff, lines_json
from agents_app.etag import expected_revision
from agents_app.policy_versions import again, numbered, text_of
from agents_app.policy_wire import version_content_json
from agents_app.sight import visible_agents


class Versions(APIView):
    """All versions of a policy."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_policy"}

    @operation(
        "list_policy_versions", tag=TAG, answers={200: VersionList}, failures=[GONE, WRONG], query=SLICE
    )
    def get(self, request: Request, name: str) -> Response:
        """List a policy's versions, newest first."""
        policy = policy_listing.seen(name, visible_agents(request.user))
        part, rows = slice_of(request.query_params), policy.versions.defer("content")
        page = [version_json(row, current_id=policy.current_version_id) for row in rows[part.skip : part.end]]
        return Response({"versions": page, "total": rows.count(), "skip": part.skip, "limit": part.limit})


class VersionDetail(APIView):
    """One version of a policy."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_policy"}

    @operation("get_policy_version", tag=TAG, answers={200: PolicyVersionContent}, failures=[GONE])
    def get(self, request: Request, name: str, number: int) -> Response:
        """Show a version and what it decides by."""
        policy = policy_listing.seen(name, visible_agents(request.user))
        return Response(version_content_json(policy, numbered(policy, number)))


class Difference(APIView):
    """What changed between two versions of a policy."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_policy"}

    @operation(
        "diff_policy_versions", tag=TAG, answers={200: PolicyDiff}, failures=[GONE, WRONG], query=COMPARED
    )
    def get(self, request: Request, name: str) -> Response:
        """Compare two versions line by line, as YAML."""
        policy = policy_listing.seen(name, visible_agents(request.user))
        current = policy.current_version.number if policy.current_version else 0
        old, new = (numbered(policy, number) for number in compared(request.query_params, current))
        lines = lines_json(diff(text_of(policy, old), text_of(policy, new)))
        return Response(
            {"name": policy.name, "from_version": old.number, "to_version": new.number, "lines": lines}
        )


class Rollback(APIView):
    """Going back to an earlier version of a policy."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.change_policy"}

    @operation(
        "rollback_policy",
        tag=TAG,
        answers={200: PolicyChange},
        failures=[GONE, STALE, WRONG],
        body=RollbackBody,
        query=[IF_MATCH],
    )
    def post(self, request: Request, name: str) -> Response:
        """Publish what an earlier version says once more, and every agent that uses the policy with it."""
        policy = policy_listing.seen(name, visible_agents(request.user))
        version = numbered(policy, wanted_version(body_of(request)))
        expected_revision(request, policy)
        done = publish_over(request, again(policy, version), policy)
        return changed(done, f"Version {version.number} is current again")
