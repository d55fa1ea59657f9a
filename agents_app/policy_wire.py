"""The JSON form of shared policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agents_app.agent_wire import version_json
from agents_app.models import Policy, PolicyVersion
from agents_app.policy_use import content_of

MANAGED: Final = ("version", "revision", "used_by", "created_at", "updated_at")
"""What the server says of a policy, and nobody else."""


def policy_json(policy: Policy, used_by: Sequence[str]) -> dict[str, Any]:
    """Return a policy with all it decides by; `version` is the number of its current version."""
    version = policy.current_version
    return {
        "name": policy.name,
        "description": policy.description or None,
        **(content_of(version).model_dump(mode="json") if version else {}),
        "version": version.number if version else 0,
        "revision": policy.revision,
        "used_by": list(used_by),
        "created_at": policy.created_at,
        "updated_at": policy.updated_at,
    }


def version_content_json(policy: Policy, version: PolicyVersion) -> dict[str, Any]:
    """Return one of a policy's versions and what it decides by."""
    known = version_json(version, current_id=policy.current_version_id)
    return {**known, "content": content_of(version).model_dump(mode="json")}
