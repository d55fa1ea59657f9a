"""Which fields of a document an answer sets: only those that the agent declares.

A model can be talked into answering anything; so the answer's keys are looked up in an allow-list, never
trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agents_app.spec import VERSION_FIELD, AgentSpec
from agents_app.spec.outputs import answer_keys, outputs, results
from agents_app.spec.strategy import Assignment, Landing, join
from enrichment.errors import WriteRefused

_MAX_DEPTH = 100  # MongoDB stores 100 levels of nesting


def hidden_roots(spec: AgentSpec) -> frozenset[str]:
    """Return the top-level fields that are not inputs of the agent: its outputs, and MongoClaw's own."""
    return spec.output_roots | {spec.write.metadata_field.partition(".")[0], VERSION_FIELD}


def places(spec: AgentSpec) -> frozenset[str]:
    """Return the paths that belong to the agent as a whole: what is null there may become an object."""
    declared = (output.path for output in outputs(spec.write, spec.ai.response_schema, spec.policy))
    return frozenset(path for path in (spec.write.base, *declared) if path)


def assign(
    spec: AgentSpec, result: Mapping[str, Any], *, protected: frozenset[str] = frozenset()
) -> Assignment:
    """Map an answer to the fields of the document. `protected` are paths that never change: a shard key's.

    Raises WriteRefused if nothing of the answer may be written, or if it cannot be.
    """
    declared = tuple(output.path for output in results(spec.write, spec.ai.response_schema, spec.policy))
    write = spec.write
    fields, dropped = _select(spec, result, write.base, declared)
    if not fields:
        raise WriteRefused("The answer holds none of the fields that the agent declares")
    _refuse_overlap(fields)
    assignment = write.strategy.assign(Landing(fields, write.base, declared, write.place))
    check_paths(assignment.paths, allowed=frozenset(declared), protected=protected)
    return replace(assignment, dropped=dropped)


def check_paths(paths: frozenset[str], *, allowed: frozenset[str], protected: frozenset[str]) -> None:
    """Raise WriteRefused unless each path is at or below one of `allowed` and away from `protected`."""
    for path in paths:
        root = path.partition(".")[0]
        if root == "_id" or any(not part or part.startswith("$") or "\0" in part for part in path.split(".")):
            raise WriteRefused(f"The path {path!r} can never be written")
        if not any(covers(outer, path) for outer in allowed):
            raise WriteRefused(f"The agent does not declare the path {path!r}")
        hit = next((key for key in protected if covers(key, path) or covers(path, key)), None)
        if hit is not None:
            raise WriteRefused(f"The path {path!r} touches {hit!r}, which is part of the shard key")


def covers(outer: str, path: str) -> bool:
    """Say if `path` is `outer` or below it."""
    return path == outer or path.startswith(f"{outer}.")


def _select(
    spec: AgentSpec, result: Mapping[str, Any], base: str, declared: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the relative paths and values to write, and the keys to leave out."""
    fields: dict[str, Any] = {}
    dropped: list[str] = []
    for key, value in result.items():
        path = _path(spec, key, value)
        if path is None or not _allowed(spec, join(base, path), declared):
            dropped.append(key)
            continue
        _check_value(value, path)
        fields[path] = value
    return fields, tuple(dropped)


def _path(spec: AgentSpec, key: str, value: object) -> str | None:
    policy = spec.policy
    if policy is not None and policy.action.tags and key == policy.tag_field:
        # Declared for the policy's own value only: a model that invents a tag is not heard.
        declared = value == policy.tag_value or key in answer_keys(spec.ai.response_schema)
        return key if declared else None
    if spec.write.fields is not None:
        return spec.write.fields.get(key)
    if not _is_name(key) or "." in key:
        raise WriteRefused("The answer has a key that cannot be the name of a field")
    return key


def _allowed(spec: AgentSpec, path: str, declared: tuple[str, ...]) -> bool:
    return spec.write.strategy.gathers or any(covers(outer, path) for outer in declared)


def _check_value(value: object, path: str, depth: int = 1) -> None:
    if depth > _MAX_DEPTH - path.count(".") - 1:
        raise WriteRefused(f"The value of {path!r} is nested too deeply")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) and _is_name(key) for key in value):
            raise WriteRefused(f"The value of {path!r} has a key that cannot be the name of a field")
        for inner in value.values():
            _check_value(inner, path, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_value(inner, path, depth + 1)


def _is_name(key: str) -> bool:
    return bool(key) and not key.startswith("$") and "\0" not in key


def _refuse_overlap(paths: Mapping[str, Any]) -> None:
    for path in paths:
        if any(outer in paths for outer in ancestors(path)):
            raise WriteRefused(f"The path {path!r} is inside another path that the answer sets")


def ancestors(path: str) -> Iterator[str]:
    """Yield the paths above `path`, the outermost first."""
    parts = path.split(".")
    for length in range(1, len(parts)):
        yield ".".join(parts[:length])
