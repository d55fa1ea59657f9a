"""Which agents are at work, and what they do: read often, so answered from memory where that is safe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock

import structlog
from django.db.models import Count, QuerySet, Sum
from pydantic import ValidationError

from agents_app.errors import VersionNotFound, VersionUnreadable
from agents_app.models import Agent, AgentVersion, Health
from agents_app.policy_use import fill
from agents_app.publish import UNREADABLE_REASON, mark_health
from agents_app.spec import AgentSpec
from agents_app.spec.problems import describe

log = structlog.get_logger(__name__)

STALE_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ActiveAgent:
    """An agent at work and the version that it works by since `current_since`."""

    agent_id: str
    version_id: int
    spec: AgentSpec
    enabled_at: datetime
    current_since: datetime


def active_agents() -> tuple[ActiveAgent, ...]:
    """Return the agents that are enabled, not archived and published, by id; never stale.

    While nothing has changed it is the same tuple, for the price of one aggregate. Otherwise the rows are read,
    and each version that this process has not read before. An agent whose version this release cannot read is
    left out and marked as unhealthy, so that the others work.
    """
    return _active_agents.now()


def _read_agents() -> tuple[ActiveAgent, ...]:
    rows = _active().order_by("id").values_list("id", "current_version_id", "enabled_at", "current_since")
    found = []
    for agent_id, version_id, enabled_at, current_since in rows:
        spec = _readable(agent_id, version_id)
        if spec is not None and enabled_at is not None:
            found.append(ActiveAgent(agent_id, version_id, spec, enabled_at, current_since or enabled_at))
    return tuple(found)


_unreadable: set[int] = set()


def _readable(agent_id: str, version_id: int) -> AgentSpec | None:
    if version_id in _unreadable:
        return None
    try:
        return spec_of(version_id)
    except VersionUnreadable as error:
        log.warning("agent.version_unreadable", agent_id=agent_id, version_id=version_id, reason=str(error))
        mark_health(agent_id, Health.UNHEALTHY, str(error))
        _unreadable.add(version_id)
        return None


@lru_cache(maxsize=4096)
def spec_of(version_id: int) -> AgentSpec:
    """Return what a version says; kept in memory, since a version never changes.

    Raises VersionNotFound, and VersionUnreadable for one that another release of MongoClaw has written.
    """
    version = AgentVersion.objects.select_related("policy_version").filter(pk=version_id).first()
    if version is None:
        raise VersionNotFound(version_id=version_id)
    # Not `parse_spec`: rules may become stricter, and a published version must stay readable.
    try:
        spec = AgentSpec.model_validate({**version.spec, "version": version.number})
        return fill(spec, version.policy_version)
    except (ValidationError, TypeError) as error:
        problems = "; ".join(map(str, describe(error))) if isinstance(error, ValidationError) else str(error)
        raise VersionUnreadable(
            f"{UNREADABLE_REASON} version {version.number} of the agent ({problems}): "
            "publish it again, or run the release that published it",
            agent_id=version.agent_id,
        ) from None


def readable(version_id: int | None) -> AgentSpec | None:
    """Return what a version says; None where there is none, or where this release cannot read it."""
    try:
        return None if version_id is None else spec_of(version_id)
    except VersionUnreadable:
        return None


def config_of(agent: Agent) -> AgentSpec:
    """Return the agent's specification with what the server manages filled in.

    `version` is the agent's revision, which also counts switching on and off. Raises VersionNotFound if
    nothing has been published.
    """
    if agent.current_version_id is None:
        raise VersionNotFound(agent_id=agent.id)
    managed = {
        "enabled": agent.enabled,
        "version": agent.revision,
        "created_at": agent.created_at,
        "updated_at": agent.updated_at,
    }
    return spec_of(agent.current_version_id).model_copy(update=managed)


def _active() -> QuerySet[Agent]:
    return Agent.objects.filter(enabled=True, archived_at=None, current_version__isnull=False)


class _ActiveAgents:
    """The agents at work as they were at a sum of revisions.

    Rows of agents stay for ever and a revision only grows, so the sum grows with every change.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: tuple[int, int | None] | None = None
        self._agents: tuple[ActiveAgent, ...] = ()

    def now(self) -> tuple[ActiveAgent, ...]:
        with self._lock:
            # Before the rows: what changes in between is then read twice rather than never.
            sums = Agent.objects.aggregate(agents=Count("id"), revisions=Sum("revision"))
            seen = (sums["agents"], sums["revisions"])
            if seen != self._seen:
                self._agents = _read_agents()
                self._seen = seen
            return self._agents

    def forget(self) -> None:
        with self._lock:
            self._seen = None


_active_agents = _ActiveAgents()


class _Active:
    """The agents at work and their current versions, asked for at most once a second by all threads together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._versions: dict[str, int] = {}
        self._at: float | None = None

    def version_of(self, agent_id: str, monotonic: float) -> int | None:
        with self._lock:
            if self._at is None or not 0 <= monotonic - self._at < STALE_AFTER_SECONDS:
                self._versions = dict(_active().values_list("id", "current_version_id"))
                self._at = monotonic
            return self._versions.get(agent_id)

    def forget(self) -> None:
        with self._lock:
            self._at = None


_active_versions = _Active()


def current_version(agent_id: str, *, monotonic: float) -> int | None:
    """Return the version that an agent works by, as of a second ago at most; None if it is not at work.

    `monotonic` is in seconds.
    """
    return _active_versions.version_of(agent_id, monotonic)


def forget() -> None:
    """Empty the memory. For tests, whose databases reuse ids; nothing else needs it."""
    spec_of.cache_clear()
    _unreadable.clear()
    _active_versions.forget()
    _active_agents.forget()
