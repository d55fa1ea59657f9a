"""Versions of shared policies: found by their numbers, as text to compare, and as what to publish again."""

from __future__ import annotations

from typing import Final

from agents_app.errors import VersionNotFound
from agents_app.models import Policy, PolicyVersion
from agents_app.policy_use import content_of
from agents_app.spec import ParsedPolicy, parse_policy, write_policy

LARGEST: Final = 2**31 - 1


def numbered(policy: Policy, number: int) -> PolicyVersion:
    """Return a version of a policy. Raises VersionNotFound."""
    found = policy.versions.filter(number=number).first() if 0 < number <= LARGEST else None
    if found is None:
        raise VersionNotFound(f"Policy '{policy.name}' has no version {number}")
    return found


def text_of(policy: Policy, version: PolicyVersion | None) -> str:
    """Return the policy as it is by a version, as people edit it; nothing if nothing was published."""
    return "" if version is None else write_policy(policy.name, policy.description, content_of(version))


def again(policy: Policy, version: PolicyVersion) -> ParsedPolicy:
    """Return what a version says, by today's rules. The description, which is of no version, stays as it is.

    Raises SpecInvalid.
    """
    content = content_of(version).model_dump(mode="json")
    return parse_policy({"name": policy.name, "description": policy.description or None, **content})
