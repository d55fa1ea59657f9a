"""Which paths of a document an agent may write: the allow-list that every answer must keep to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from agents_app.spec.names import path_problem
from agents_app.spec.policy import PolicySpec
from agents_app.spec.section import Finding
from agents_app.spec.write import WriteSpec


class Output(NamedTuple):
    """A path that may be written with everything below it, and the setting that declares it."""

    path: str
    declared_by: str


def answer_keys(schema: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the keys that the schema declares for the answer; empty if it declares none."""
    properties = (schema or {}).get("properties")
    return tuple(properties) if isinstance(properties, Mapping) else ()


def results(
    write: WriteSpec, schema: Mapping[str, Any] | None, policy: PolicySpec | None
) -> Iterator[Output]:
    """Yield where the answer itself lands, policy tag included."""
    prefix = f"{write.place}." if write.place else ""
    keys = tuple(_keys(write, schema))
    if prefix and (write.strategy.gathers or not keys):
        yield Output(write.place, f"write.{write.strategy.needs}")
        return
    yield from (Output(prefix + path, declared_by) for path, declared_by in keys)
    if keys and write.target_field is None and policy is not None and policy.action.tags:
        yield Output(prefix + policy.tag_field, "policy.tag_field")


def outputs(
    write: WriteSpec, schema: Mapping[str, Any] | None, policy: PolicySpec | None
) -> Iterator[Output]:
    """Yield every path that the agent may write: its results, then its metadata."""
    yield from results(write, schema, policy)
    if write.include_metadata:
        yield Output(write.metadata_field, "write.metadata_field")


def output_problems(
    write: WriteSpec, schema: Mapping[str, Any] | None, policy: PolicySpec | None
) -> Iterator[Finding]:
    """Yield results that have no declared place, an illegal one, or one that overlaps another."""
    declared = tuple(results(write, schema, policy))
    if not declared and write.strategy.needs is None:
        yield Finding(
            "write.target_field",
            "is required because neither write.fields nor ai.response_schema.properties says which fields "
            "the answer has: without one of the three the model could overwrite any field of the document",
        )
    for output in declared:
        if output.declared_by.startswith("ai."):
            yield from _property_problems(output)
    yield from _overlaps((Output(write.metadata_field, "write.metadata_field"), *declared))


def _keys(write: WriteSpec, schema: Mapping[str, Any] | None) -> Iterator[Output]:
    if write.target_field is not None:
        yield Output(write.target_field, "write.target_field")
    elif write.fields is not None:
        for key, path in write.fields.items():
            yield Output(path, f"write.fields.{key}")
    else:
        for key in answer_keys(schema):
            yield Output(key, f"ai.response_schema.properties.{key}")


def _property_problems(output: Output) -> Iterator[Finding]:
    key = output.declared_by.removeprefix("ai.response_schema.properties.")
    problem = "must not contain '.'" if "." in key else path_problem(output.path)
    if problem is not None:
        yield Finding(output.declared_by, f"{problem}, since it becomes the name of a field of the document")


def _overlaps(declared: tuple[Output, ...]) -> Iterator[Finding]:
    by_path: dict[str, str] = {}
    for path, declared_by in declared:
        # The tag is a key of the answer: it may replace one that the schema declares.
        if path in by_path and declared_by != "policy.tag_field":
            yield _overlap(declared_by, path, path, by_path[path])
        by_path.setdefault(path, declared_by)
    for path, declared_by in by_path.items():
        segments = path.split(".")
        for length in range(1, len(segments)):
            outer = ".".join(segments[:length])
            if outer in by_path:
                yield _overlap(declared_by, path, outer, by_path[outer])


def _overlap(declared_by: str, path: str, other: str, other_declared_by: str) -> Finding:
    return Finding(declared_by, f"writes to '{path}', which overlaps '{other}' of {other_declared_by}")
