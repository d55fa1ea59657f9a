"""Every change to a shared policy. Publishing one publishes the agents that use it, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import F, Max

from agents_app import publish as publishing
from agents_app import registry
from agents_app.errors import (
    PolicyChanged,
    PolicyExists,
    PolicyInUse,
    PolicyNotFound,
    PolicyOutOfReach,
    SpecInvalid,
    SpecProblem,
    VersionUnreadable,
)
from agents_app.models import Agent, Policy, PolicyVersion
from agents_app.policy_use import fill, users_of, works_by
from agents_app.spec import ParsedPolicy, SharedPolicySpec, policy_hash

log = structlog.get_logger(__name__)

PolicyCheck = Callable[[SharedPolicySpec], Iterable[str]]


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What publishing a policy did: `agents` were published again with it."""

    policy: Policy
    version: PolicyVersion
    created: bool
    agents: tuple[str, ...]
    warnings: tuple[str, ...]


def publish(
    parsed: ParsedPolicy,
    *,
    by: str,
    now: datetime,
    checks: Sequence[PolicyCheck] = (),
    must_be_new: bool = False,
    if_revision: int | None = None,
    only: Collection[str] | None = None,
) -> PolicyResult:
    """Make the text the policy's current version, and every agent that uses it work by it, in one transaction.

    1. The policy is locked, so that no agent is published with its former version meanwhile.
    2. Its version is added, or found if the same content had been published before.
    3. Each agent that works by it is locked and published again; its new version says why.

    Raises SpecInvalid if a check does or an agent does not go with it, PolicyExists if `must_be_new` and it is not,
    PolicyChanged if `if_revision` is given and no longer the policy's revision, PolicyOutOfReach if an agent uses it
    that is not among `only`.
    """
    spec = parsed.spec
    warnings = (*parsed.warnings, *run_checks(spec, checks))
    with transaction.atomic():
        policy, is_new = _lock(spec.name, now)
        if must_be_new and not is_new:
            raise PolicyExists(f"Policy '{spec.name}' exists already", name=spec.name)
        _require(policy, if_revision, users_of(spec.name), only)
        version, created = _version(policy, spec, by=by, now=now)
        moved = policy.current_version_id != version.pk
        _apply(policy, version, spec, now=now)
        agents = _publish_agents(version, by=by, now=now) if moved else ()
    log.info(
        "policy.published",
        policy=policy.pk,
        version=version.number,
        created=created,
        agents=len(agents),
        by=by,
    )
    return PolicyResult(policy, version, created, agents, warnings)


def run_checks(spec: SharedPolicySpec, checks: Iterable[PolicyCheck]) -> tuple[str, ...]:
    """Return the warnings of all checks. Raises SpecInvalid."""
    return tuple(warning for check in checks for warning in check(spec))


def get(name: str) -> Policy:
    """Return a policy that is not archived. Raises PolicyNotFound."""
    policy = Policy.objects.select_related("current_version").filter(pk=name, archived_at=None).first()
    if policy is None:
        raise PolicyNotFound(name=name)
    return policy


def archive(
    name: str, *, now: datetime, if_revision: int | None = None, only: Collection[str] | None = None
) -> None:
    """Delete a policy that no agent works by; its versions stay.

    Raises PolicyNotFound, PolicyChanged if `if_revision` is given and is not the policy's revision, PolicyInUse, or
    PolicyOutOfReach where that would name an agent that is not among `only`.
    """
    with transaction.atomic():
        policy = Policy.objects.select_for_update().filter(pk=name, archived_at=None).first()
        if policy is None:
            raise PolicyNotFound(name=name)
        users = users_of(name)
        _require(policy, if_revision, users, only)
        if users:
            raise PolicyInUse(
                f"Policy '{name}' cannot be deleted: it is used by {', '.join(users)}", name=name
            )
        Policy.objects.filter(pk=name).update(archived_at=now, updated_at=now, revision=F("revision") + 1)
    log.info("policy.archived", policy=name)


def _lock(name: str, now: datetime) -> tuple[Policy, bool]:
    _, is_new = Policy.objects.get_or_create(pk=name, defaults={"created_at": now, "updated_at": now})
    policy = Policy.objects.select_for_update().get(pk=name)
    return policy, is_new or policy.archived_at is not None


def _require(
    policy: Policy, revision: int | None, users: Collection[str], only: Collection[str] | None
) -> None:
    """Refuse to change a policy that is not the one that was seen, or that agents beyond `only` use."""
    if revision is not None and policy.revision != revision:
        raise PolicyChanged(name=policy.name)
    if only is not None and not set(users).issubset(only):
        raise PolicyOutOfReach(name=policy.name)


def _version(policy: Policy, spec: SharedPolicySpec, *, by: str, now: datetime) -> tuple[PolicyVersion, bool]:
    content = spec.content
    last = policy.versions.aggregate(last=Max("number"))["last"] or 0
    return PolicyVersion.objects.get_or_create(
        policy=policy,
        content_hash=policy_hash(content),
        defaults={
            "number": last + 1,
            "content": content.model_dump(mode="json"),
            "published_by": by,
            "created_at": now,
        },
    )


def _apply(policy: Policy, version: PolicyVersion, spec: SharedPolicySpec, *, now: datetime) -> None:
    description = spec.description or ""
    as_it_was = (version.pk, description, None)
    if (policy.current_version_id, policy.description, policy.archived_at) == as_it_was:
        return
    policy.current_version, policy.description, policy.archived_at = version, description, None
    policy.updated_at, policy.revision = now, policy.revision + 1
    policy.save()


def _publish_agents(version: PolicyVersion, *, by: str, now: datetime) -> tuple[str, ...]:
    published = []
    problems = []
    for agent_id in users_of(version.policy_id):
        agent = Agent.objects.select_for_update().get(pk=agent_id)
        # Whoever published it with another policy, or deleted it, has not waited for this one's lock.
        if agent.current_version_id is None or not works_by(agent, version.policy_id):
            continue
        try:
            spec = fill(registry.spec_of(agent.current_version_id), version)
        except VersionUnreadable as error:
            problems.append(SpecProblem(f"agent {agent_id}", str(error)))
            continue
        problems += [SpecProblem(f"agent {agent_id}: {path}", text) for path, text in spec.problems()]
        publishing.publish_again(agent, spec, version, by=by, now=now)
        published.append(agent_id)
    if problems:
        raise SpecInvalid(errors=problems)
    return tuple(published)
