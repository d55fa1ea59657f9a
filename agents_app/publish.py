"""Every change to an agent: publishing, switching on and off, archiving, noting its health."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet

from agents_app.errors import AgentChanged, AgentExists, AgentNotFound, SpecInvalid, SpecProblem
from agents_app.models import Agent, AgentVersion, Health, PolicyVersion
from agents_app.policy_use import Resolved, resolve
from agents_app.spec import AgentSpec, ParsedSpec, content_hash, declared

log = structlog.get_logger(__name__)

STREAM_REASON: Final = "stream "
"""What the reason for an agent's health begins with when its stream is at fault, and not the agent."""

COLLECTION_REASON: Final = "watch.collection: "
"""Likewise, when the collection is no longer one that can be watched."""

UNREADABLE_REASON: Final = "this release of MongoClaw cannot read"
"""Likewise, when another release has written what the agent does."""

PublishCheck = Callable[[AgentSpec], Iterable[str]]


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What publishing did. `created` is false if the same content had been published before."""

    agent: Agent
    version: AgentVersion
    created: bool
    warnings: tuple[str, ...]


def publish(
    parsed: ParsedSpec,
    *,
    by: str,
    now: datetime,
    checks: Sequence[PublishCheck] = (),
    must_be_new: bool = False,
    if_revision: int | None = None,
) -> PublishResult:
    """Make the specification the agent's current version, all of it or nothing.

    A new agent is created; an archived one comes back with its next version number. `enabled` changes only if
    the specification says so in so many words. A policy that it names is fixed as it is now. Raises SpecInvalid if a
    check does or there is no such policy, AgentExists if `must_be_new` and it is not, AgentChanged if `if_revision` is
    given and no longer the agent's revision.
    """
    spec = parsed.spec
    warnings = (*parsed.warnings, *run_checks(spec, checks))
    with transaction.atomic():
        resolved = resolve(spec, lock=True)
        agent, is_new = _lock(spec, now)
        is_new = is_new or agent.archived_at is not None
        if must_be_new and not is_new:
            raise AgentExists(f"Agent '{spec.id}' exists already", agent_id=spec.id)
        if if_revision is not None and agent.revision != if_revision:
            raise AgentChanged(agent_id=spec.id)
        version, created = _version(agent, resolved, by=by, now=now)
        _apply(agent, version, spec, is_new=is_new, now=now)
    log.info("agent.published", agent_id=agent.id, version=version.number, created=created, by=by)
    return PublishResult(agent, version, created, warnings)


def publish_again(
    agent: Agent, spec: AgentSpec, policy_version: PolicyVersion, *, by: str, now: datetime
) -> AgentVersion:
    """Let a locked agent work by another version of the policy that it names; the rest of it stays."""
    note = f"policy '{policy_version.policy_id}' version {policy_version.number}"
    version, created = _version(agent, Resolved(spec, policy_version), by=by, now=now, note=note)
    _apply(agent, version, spec, is_new=False, now=now)
    log.info("agent.published", agent_id=agent.id, version=version.number, created=created, by=by, why=note)
    return version


def run_checks(spec: AgentSpec, checks: Iterable[PublishCheck]) -> tuple[str, ...]:
    """Return the warnings of all checks, made with the policy that is named filled in.

    Raises SpecInvalid with the problems of all checks.
    """
    spec = resolve(spec).spec
    warnings: list[str] = []
    problems: list[SpecProblem] = []
    for check in checks:
        try:
            warnings.extend(check(spec))
        except SpecInvalid as error:
            problems.extend(error.errors or (SpecProblem("", str(error)),))
    if problems:
        raise SpecInvalid(errors=problems)
    return tuple(warnings)


def get(agent_id: str) -> Agent:
    """Return an agent that is not archived. Raises AgentNotFound."""
    agent = Agent.objects.select_related("current_version").filter(pk=agent_id, archived_at=None).first()
    if agent is None:
        raise AgentNotFound(agent_id=agent_id)
    return agent


def set_enabled(agent_id: str, enabled: bool, *, now: datetime, if_revision: int | None = None) -> Agent:
    """Switch an agent on or off; nothing changes if it is so already.

    Raises AgentNotFound, and AgentChanged if `if_revision` is given and is not the agent's revision.
    """
    changes = {"enabled_at": now} if enabled else {}
    changed = (
        _standing(agent_id, if_revision)
        .filter(enabled=not enabled)
        .update(enabled=enabled, updated_at=now, revision=F("revision") + 1, **changes)
    )
    agent = get(agent_id)
    if changed:
        log.info("agent.enabled" if enabled else "agent.disabled", agent_id=agent_id)
    elif if_revision is not None and agent.revision != if_revision:
        raise AgentChanged(agent_id=agent_id)
    return agent


def archive(agent_id: str, *, now: datetime, if_revision: int | None = None) -> None:
    """Take an agent out of service for good; its versions and executions stay.

    Raises AgentNotFound, and AgentChanged if `if_revision` is given and is not the agent's revision.
    """
    changed = _standing(agent_id, if_revision).update(
        enabled=False, archived_at=now, updated_at=now, revision=F("revision") + 1
    )
    if not changed:
        get(agent_id)
        raise AgentChanged(agent_id=agent_id)
    log.info("agent.archived", agent_id=agent_id)


def mark_health(agent_id: str, health: str, reason: str = "") -> bool:
    """Note whether an agent can be watched for; writes, and returns true, only when that is news."""
    health = Health(health).value
    news = Agent.objects.filter(~Q(health=health, health_reason=reason), pk=agent_id)
    if not news.update(health=health, health_reason=reason):
        return False
    log.info("agent.health_changed", agent_id=agent_id, health=health, reason=reason)
    return True


def mark_watched(agent_ids: Iterable[str]) -> None:
    """Note that these agents are watched for.

    One that was found unhealthy stays so until it is published anew, unless being watched is what it lacked.
    """
    well = Q(health=Health.UNKNOWN)
    for reason in (STREAM_REASON, COLLECTION_REASON, UNREADABLE_REASON):
        well |= Q(health=Health.UNHEALTHY, health_reason__startswith=reason)
    Agent.objects.filter(well, pk__in=list(agent_ids)).update(health=Health.HEALTHY, health_reason="")


def _standing(agent_id: str, revision: int | None) -> QuerySet[Agent]:
    agents = Agent.objects.filter(pk=agent_id, archived_at=None)
    return agents if revision is None else agents.filter(revision=revision)


def _lock(spec: AgentSpec, now: datetime) -> tuple[Agent, bool]:
    first = {"name": spec.name, "created_at": now, "updated_at": now, "enabled": False}
    _, is_new = Agent.objects.get_or_create(pk=spec.id, defaults=first)
    return Agent.objects.select_for_update().get(pk=spec.id), is_new


def _version(
    agent: Agent, resolved: Resolved, *, by: str, now: datetime, note: str = ""
) -> tuple[AgentVersion, bool]:
    last = agent.versions.aggregate(last=Max("number"))["last"] or 0
    return AgentVersion.objects.get_or_create(
        agent=agent,
        content_hash=content_hash(resolved.spec),
        defaults={
            "number": last + 1,
            "spec": declared(resolved.spec),
            "policy_version": resolved.version,
            "note": note,
            "published_by": by,
            "created_at": now,
        },
    )


def _apply(agent: Agent, version: AgentVersion, spec: AgentSpec, *, is_new: bool, now: datetime) -> None:
    enabled = spec.enabled if is_new or "enabled" in spec.model_fields_set else agent.enabled
    if not is_new and agent.current_version_id == version.pk and agent.enabled == enabled:
        return
    if enabled and not agent.enabled:
        agent.enabled_at = now
    if agent.current_version_id != version.pk:
        agent.health, agent.health_reason = Health.UNKNOWN, ""
        agent.current_since = now
    agent.current_version, agent.enabled, agent.archived_at = version, enabled, None
    agent.name, agent.description, agent.tags = spec.name, spec.description or "", list(spec.tags)
    agent.updated_at, agent.revision = now, agent.revision + 1
    agent.save()
