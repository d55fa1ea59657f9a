"""Agents and the shared policies that they name: what `policy: {use: NAME}` means, and who says so."""

from __future__ import annotations

from typing import NamedTuple

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.models import Agent, AgentVersion, Policy, PolicyVersion
from agents_app.spec import AgentSpec, PolicyContent

PATH = "policy.use"
SHOWN = 20


class Resolved(NamedTuple):
    """A specification with its policy filled in, and the version that this came from; None for an inline one."""

    spec: AgentSpec
    version: PolicyVersion | None


def resolve(spec: AgentSpec, *, lock: bool = False) -> Resolved:
    """Fill in the current version of the policy that the specification names, if it names one.

    With `lock` the policy stays as it is until the transaction ends: whoever publishes takes the policy's lock first
    and the agent's second. Raises SpecInvalid if there is no such policy, or if it does not go with the agent.
    """
    if spec.policy is None or spec.policy.use is None:
        return Resolved(spec, None)
    policies = Policy.objects.select_for_update() if lock else Policy.objects.all()
    policy = policies.filter(pk=spec.policy.use, archived_at=None).first()
    if policy is None or policy.current_version is None:
        raise SpecInvalid(errors=[SpecProblem(PATH, _unknown(spec.policy.use))])
    filled = fill(spec, policy.current_version)
    problems = [SpecProblem(path, message) for path, message in filled.problems()]
    if problems:
        raise SpecInvalid(errors=problems)
    return Resolved(filled, policy.current_version)


def fill(spec: AgentSpec, version: PolicyVersion | None) -> AgentSpec:
    """Return the specification with the policy that its version was published with."""
    if version is None or spec.policy is None:
        return spec
    content = content_of(version)
    return spec.model_copy(update={"policy": spec.policy.filled(content)})


def content_of(version: PolicyVersion) -> PolicyContent:
    """Return what a policy's version decides by."""
    return PolicyContent.model_validate(version.content)


def users_of(name: str) -> list[str]:
    """Return the ids of the agents that work by the policy, sorted."""
    found = Agent.objects.filter(archived_at=None, current_version__policy_version__policy=name)
    return sorted(found.values_list("pk", flat=True))


def works_by(agent: Agent, name: str) -> bool:
    """Say whether an agent, as it was read, works by the policy."""
    if agent.archived_at is not None or agent.current_version_id is None:
        return False
    return AgentVersion.objects.filter(pk=agent.current_version_id, policy_version__policy=name).exists()


def _unknown(name: str) -> str:
    known = list(Policy.objects.filter(archived_at=None).values_list("pk", flat=True)[: SHOWN + 1])
    if not known:
        return f"there is no policy '{name}', nor any other; add one first, or write the policy out here"
    more = ", …" if len(known) > SHOWN else ""
    return f"there is no policy '{name}'; there are {', '.join(known[:SHOWN])}{more}"
