"""The written forms of a specification, and the hashes that name it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from agents_app.spec.agent import AgentSpec
from agents_app.spec.policy import PolicyContent

_SERVER_MANAGED = frozenset({"enabled", "version", "created_at", "updated_at"})
_SHAPES_THE_ANSWER = frozenset({"ai", "write", "policy"})


def dump_json(spec: AgentSpec) -> dict[str, Any]:
    """Return the specification as JSON values: all defaults present, nulls included."""
    return spec.model_dump(mode="json")


def dump_yaml(spec: AgentSpec, *, managed: bool = True) -> str:
    """Return the specification as YAML; loading it gives an equal specification.

    Without `managed`, what the server manages is left out: the form that people edit.
    """
    return to_yaml(dump_json(spec) if managed else declared(spec))


def dump_filled_yaml(spec: AgentSpec) -> str:
    """Return the form that people edit with the content of a shared policy written out: for reading and comparing."""
    values = declared(spec)
    if spec.policy is not None and spec.policy.use is not None:
        values["policy"] |= spec.policy.content.model_dump(mode="json")
    return to_yaml(values)


def to_yaml(values: Mapping[str, Any]) -> str:
    """Return values as people write them in YAML, in their order."""
    return yaml.dump(
        dict(values),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=110,
    )


def declared(spec: AgentSpec) -> dict[str, Any]:
    """Return what the author of the agent declares: everything but what the server manages."""
    return spec.model_dump(mode="json", exclude=set(_SERVER_MANAGED))


def content_hash(spec: AgentSpec) -> str:
    """Return 64 hex digits that name everything the author declares, whatever the order of the keys.

    Defaults do not count, so a release that adds a field does not give every agent a new version.
    """
    return _digest(_significant(spec))


def behaviour_hash(spec: AgentSpec) -> str:
    """Return 64 hex digits that name what shapes the answer and its place: `ai`, `write` and `policy`.

    For the fingerprint of inputs: a new name, tag or limit must not make every document be asked about again.
    """
    shaping = {key: value for key, value in _significant(spec).items() if key in _SHAPES_THE_ANSWER}
    # Where a policy is kept does not change what it decides.
    shaping.get("policy", {}).pop("use", None)
    return _digest(shaping)


def policy_hash(policy: PolicyContent) -> str:
    """Return 64 hex digits that name what a policy decides by."""
    return _digest(policy.model_dump(mode="json", exclude_defaults=True))


def canonical_json(value: Any) -> str:
    """Return the one JSON text that stands for a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _significant(spec: AgentSpec) -> dict[str, Any]:
    content = spec.model_dump(mode="json", exclude=set(_SERVER_MANAGED), exclude_defaults=True)
    if "operations" in content["watch"]:
        content["watch"]["operations"].sort()
    if spec.policy is not None and spec.policy.use is not None:
        content["policy"] |= spec.policy.content.model_dump(mode="json", exclude_defaults=True)
    return content


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and every value in full."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    # YAML 1.1 takes these for line breaks, and a reader would give back "\n".
    if any(char in text for char in "\x85\u2028\u2029"):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
