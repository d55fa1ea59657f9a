"""The HTTP API of validating: a configuration that is sent, or one that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing
from agents_app.api_agents import GONE, TAG
from agents_app.api_docs import operation
from agents_app.api_permissions import Needs
from agents_app.api_shapes import Verdict
from agents_app.errors import SpecInvalid, VersionNotFound
from agents_app.publish import run_checks
from agents_app.publish_hooks import checks
from agents_app.sight import visible_agents
from agents_app.spec import AgentSpec, parse_spec


class Validate(APIView):
    """Validating a stored agent."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.view_agent"}

    @operation("validate_stored_agent", tag=TAG, answers={200: Verdict}, failures=[GONE])
    def post(self, request: Request, agent_id: str) -> Response:
        """Tell whether an agent could be published as it is, by today's rules and on today's collection."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        if agent.current_version is None:
            raise VersionNotFound
        return Response(_verdict(agent.current_version.spec, agent.id))


class ValidateBody(APIView):
    """Validating a configuration that is sent. No agent can be called `validate`."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.view_agent"}

    @operation(
        "validate_agent",
        tag=TAG,
        answers={200: Verdict},
        body={"application/json": {"description": "A configuration, whole or not."}},
    )
    def post(self, request: Request) -> Response:
        """Tell whether a configuration could be published; nothing is stored. The answer is 200 either way.

        A filter asks about documents, so MongoDB evaluates it for those only who may publish it.
        """
        id_ = request.data.get("id") if isinstance(request.data, Mapping) else None
        user: Any = request.user
        may_publish = any(user.has_perm(f"agents_app.{action}_agent") for action in ("add", "change"))
        named = id_ if isinstance(id_, str) else None
        return Response(_verdict(request.data, named, asks_documents=may_publish))


def _unfiltered(spec: AgentSpec) -> AgentSpec:
    return spec.model_copy(update={"watch": spec.watch.model_copy(update={"filter": None})})


def _verdict(data: Any, agent_id: str | None, *, asks_documents: bool = True) -> dict[str, Any]:
    errors: list[str] = []
    warnings: list[str] = []
    try:
        parsed = parse_spec(data)
        warnings = [
            *parsed.warnings,
            *run_checks(parsed.spec if asks_documents else _unfiltered(parsed.spec), checks()),
        ]
    except SpecInvalid as error:
        errors = [str(problem) for problem in error.errors] or [str(error)]
    return {"valid": not errors, "errors": errors, "warnings": warnings, "agent_id": agent_id}
