"""The HTTP API of agents: listing, reading, creating, changing, deleting (peer contract §3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing, publish, registry
from agents_app.agent_wire import config_json, summary_json
from agents_app.api_docs import IF_MATCH, SLICE, operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import body_of, flag, slice_of, somebody, text
from agents_app.api_shapes import AgentChange, AgentList
from agents_app.etag import etag_of, expected_revision, over_latest
from agents_app.merge import merged
from agents_app.models import Agent
from agents_app.publish import PublishResult
from agents_app.publish_hooks import checks
from agents_app.reach import require_within_reach
from agents_app.sight import visible_agents
from agents_app.spec import AgentSpec, ParsedSpec, parse_spec

TAG: Final = "agents"
GONE, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY
UNREADABLE, STALE = HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED


class Agents(APIView):
    """All agents."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_agent", "POST": "agents_app.add_agent"}

    @operation(
        "list_agents",
        tag=TAG,
        answers={200: AgentList},
        failures=[WRONG],
        query=[
            parameter("enabled_only", "Leave out what is disabled.", bool),
            parameter("tags", "Tags with commas between; an agent with any of them is listed."),
            *SLICE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List agents, newest first."""
        query = request.query_params
        part = slice_of(query)
        tags = frozenset(tag.strip() for tag in text(query, "tags").split(",") if tag.strip())
        enabled_only = flag(query, "enabled_only", default=False)
        found, total = listing.agents(
            part.skip, part.end, enabled_only=enabled_only, tags=tags, only=visible_agents(request.user)
        )
        page = [summary_json(agent) for agent in found]
        return Response({"agents": page, "total": total, "skip": part.skip, "limit": part.limit})

    @operation(
        "create_agent",
        tag=TAG,
        answers={201: AgentChange},
        failures=[HTTPStatus.BAD_REQUEST, WRONG],
        body=AgentSpec,
    )
    def post(self, request: Request) -> Response:
        """Create an agent: publish its first version. A taken id is 400."""
        parsed = parse_spec(body_of(request))
        only = visible_agents(request.user)
        if only is not None and parsed.spec.id not in only:
            raise PermissionDenied("This key is bound to other agents.")
        require_within_reach(parsed.spec, only)
        done = publish.publish(parsed, by=somebody(request), now=_now(), checks=checks(), must_be_new=True)
        answer = changed(request, done.agent, warnings=done.warnings, status=HTTPStatus.CREATED)
        answer["Location"] = f"/api/v1/agents/{done.agent.id}"
        return answer


class AgentDetail(APIView):
    """One agent."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {
        "GET": "agents_app.view_agent",
        "PUT": "agents_app.change_agent",
        "DELETE": "agents_app.delete_agent",
    }

    @operation("get_agent", tag=TAG, answers={200: AgentSpec}, failures=[GONE, UNREADABLE])
    def get(self, request: Request, agent_id: str) -> Response:
        """Show an agent's whole configuration. The ETag is for If-Match."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        return Response(config_json(agent), headers={"ETag": etag_of(agent)})

    @operation(
        "update_agent",
        tag=TAG,
        answers={200: AgentChange},
        failures=[GONE, UNREADABLE, STALE, WRONG],
        body={"application/json": {"type": "object", "additionalProperties": True}},
        query=[IF_MATCH],
    )
    def put(self, request: Request, agent_id: str) -> Response:
        """Change an agent in part. Objects are merged one level deep, all else is replaced, null clears.

        Null leaves `name`, `watch`, `ai` and `enabled` alone, which cannot be empty.
        """
        done, warnings = _change(request, agent_id, body_of(request))
        return changed(request, done.agent, warnings=(*warnings, *done.warnings))

    @operation("delete_agent", tag=TAG, answers={200: AgentChange}, failures=[GONE, STALE], query=[IF_MATCH])
    def delete(self, request: Request, agent_id: str) -> Response:
        """Take an agent out of service. Its versions and executions stay on record."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        publish.archive(agent.id, now=_now(), if_revision=expected_revision(request, agent))
        return Response(
            {"success": True, "agent": None, "message": f"Agent '{agent.id}' deleted", "warnings": []}
        )


class Switch(APIView):
    """Switching an agent on."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.operate_agent"}

    @operation(
        "enable_agent",
        tag=TAG,
        answers={200: AgentChange},
        failures=[GONE, STALE],
        query=[IF_MATCH],
    )
    def post(self, request: Request, agent_id: str) -> Response:
        """Let an agent work. What was held back because it was disabled runs now."""
        return _switched(request, agent_id, enabled=True)


class SwitchOff(Switch):
    """Switching an agent off."""

    @operation(
        "disable_agent",
        tag=TAG,
        answers={200: AgentChange},
        failures=[GONE, STALE],
        query=[IF_MATCH],
    )
    def post(self, request: Request, agent_id: str) -> Response:
        """Let an agent rest. What it has to do waits on record until it is enabled."""
        return _switched(request, agent_id, enabled=False)


def changed(
    request: Request,
    agent: Agent,
    *,
    message: str | None = None,
    warnings: tuple[str, ...] = (),
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """Answer that an agent was changed, with the agent for those who may view it and where this release can read it."""
    may_view = request.user.has_perm("agents_app.view_agent")
    shown = config_json(agent) if may_view and registry.readable(agent.current_version_id) else None
    body: dict[str, Any] = {"success": True, "agent": shown, "message": message}
    return Response({**body, "warnings": list(warnings)}, status=status, headers={"ETag": etag_of(agent)})


def _switched(request: Request, agent_id: str, *, enabled: bool) -> Response:
    agent = listing.seen(agent_id, visible_agents(request.user))
    revision = expected_revision(request, agent)
    agent = publish.set_enabled(agent.id, enabled, now=_now(), if_revision=revision)
    return changed(request, agent, message=f"Agent '{agent.id}' {'enabled' if enabled else 'disabled'}")


def _change(
    request: Request, agent_id: str, changes: Mapping[str, Any]
) -> tuple[PublishResult, tuple[str, ...]]:
    """Merge changes into the agent as it is."""

    def change() -> tuple[PublishResult, tuple[str, ...]]:
        agent = listing.seen(agent_id, visible_agents(request.user))
        expected_revision(request, agent)
        wanted = merged(registry.config_of(agent), changes)
        return _published(request, parse_spec(wanted.data), agent), tuple(wanted.warnings)

    return over_latest(request, change)


def _published(request: Request, parsed: ParsedSpec, agent: Agent) -> PublishResult:
    require_within_reach(parsed.spec, visible_agents(request.user))
    return publish.publish(
        parsed, by=somebody(request), now=_now(), checks=checks(), if_revision=agent.revision
    )


def _now() -> datetime:
    return datetime.now(UTC)
