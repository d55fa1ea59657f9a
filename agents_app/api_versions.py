"""The HTTP API of versions: reading, comparing, going back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing, publish, registry
from agents_app.agent_wire import version_config_json, version_json
from agents_app.api_agents import GONE, STALE, TAG, UNREADABLE, WRONG, changed
from agents_app.api_docs import IF_MATCH, SLICE, operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import body_of, slice_of, somebody, whole, wrong_query
from agents_app.api_shapes import AgentChange, RollbackBody, VersionConfig, VersionDiff, VersionList
from agents_app.diff import diff, lines_json
from agents_app.errors import SpecInvalid, SpecProblem, VersionNotFound
from agents_app.etag import expected_revision
from agents_app.models import Agent, AgentVersion
from agents_app.publish_hooks import checks
from agents_app.reach import require_within_reach
from agents_app.sight import visible_agents
from agents_app.spec import dump_yaml, parse_spec

LARGEST = 2**31 - 1

COMPARED: Final = (
    parameter("from", "The number of the version to compare with.", int, required=True),
    parameter("to", "The number of the version to look at; by default the current one.", int),
)


class Versions(APIView):
    """All versions of an agent."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_agent"}

    @operation("list_versions", tag=TAG, answers={200: VersionList}, failures=[GONE, WRONG], query=SLICE)
    def get(self, request: Request, agent_id: str) -> Response:
        """List an agent's versions, newest first."""
        agent, part = listing.seen(agent_id, visible_agents(request.user)), slice_of(request.query_params)
        rows = agent.versions.defer("spec")
        page = [version_json(row, current_id=agent.current_version_id) for row in rows[part.skip : part.end]]
        return Response({"versions": page, "total": rows.count(), "skip": part.skip, "limit": part.limit})


class VersionDetail(APIView):
    """One version."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_agent"}

    @operation("get_version", tag=TAG, answers={200: VersionConfig}, failures=[GONE, UNREADABLE])
    def get(self, request: Request, agent_id: str, number: int) -> Response:
        """Show a version and what the agent does by it."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        found = version_config_json(_version(agent, number), current_id=agent.current_version_id)
        return Response(found)


class Difference(APIView):
    """What changed between two versions."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_agent"}

    @operation(
        "diff_versions",
        tag=TAG,
        answers={200: VersionDiff},
        failures=[GONE, UNREADABLE, WRONG],
        query=COMPARED,
    )
    def get(self, request: Request, agent_id: str) -> Response:
        """Compare two versions line by line, as YAML."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        current = agent.current_version.number if agent.current_version else 0
        old, new = (_version(agent, number) for number in compared(request.query_params, current))
        lines = lines_json(diff(_text(old), _text(new)))
        found = {"agent_id": agent.id, "from_version": old.number, "to_version": new.number, "lines": lines}
        return Response(found)


class Rollback(APIView):
    """Going back to an earlier version."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.change_agent"}

    @operation(
        "rollback_agent",
        tag=TAG,
        answers={200: AgentChange},
        failures=[GONE, UNREADABLE, STALE, WRONG],
        body=RollbackBody,
        query=[IF_MATCH],
    )
    def post(self, request: Request, agent_id: str) -> Response:
        """Publish what an earlier version says once more. Whether the agent is enabled does not change."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        version = _version(agent, wanted_version(body_of(request)))
        expected_revision(request, agent)
        parsed = parse_spec(version.spec)
        require_within_reach(parsed.spec, visible_agents(request.user))
        done = publish.publish(
            parsed,
            by=somebody(request),
            now=datetime.now(UTC),
            checks=checks(),
            if_revision=agent.revision,
        )
        return changed(
            request, done.agent, message=f"Version {version.number} is current again", warnings=done.warnings
        )


def compared(query: Mapping[str, str], current: int) -> tuple[int, int]:
    """Return the numbers of the versions to compare. Raises SpecInvalid."""
    if "from" not in query:
        raise wrong_query("from", "is required")
    return whole(query, "from", 0), whole(query, "to", current)


def wanted_version(body: Mapping[str, Any]) -> int:
    """Return the number of the version that a body names. Raises SpecInvalid."""
    number = body.get("version")
    problems = [SpecProblem(name, "unknown field") for name in body if name != "version"]
    if isinstance(number, bool) or not isinstance(number, int):
        problems.append(SpecProblem("version", "must be the number of a version"))
    if problems:
        raise SpecInvalid(errors=problems)
    return int(number or 0)


def _version(agent: Agent, number: int) -> AgentVersion:
    found = agent.versions.filter(number=number).first() if 0 < number <= LARGEST else None
    if found is None:
        raise VersionNotFound(f"Agent '{agent.id}' has no version {number}")
    return found


def _text(version: AgentVersion) -> str:
    return dump_yaml(registry.spec_of(version.pk), managed=False)
