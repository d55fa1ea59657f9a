"""The specification of an agent: the one schema behind YAML, JSON, REST, admin and CLI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from agents_app.spec.ai import AISpec
from agents_app.spec.execution import ExecutionSpec
from agents_app.spec.names import AgentId
from agents_app.spec.outputs import answer_keys, output_problems, outputs
from agents_app.spec.policy import PolicySpec
from agents_app.spec.section import Filled, Finding, FreeForm, Section, Whole, empty_if_null
from agents_app.spec.watch import WatchSpec
from agents_app.spec.without_effect import without_effect
from agents_app.spec.write import WriteSpec


def _split_tags(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(tag.strip() for tag in value.split(",") if tag.strip())
    return value


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Tag = Annotated[Filled, Field(max_length=128)]
Tags = Annotated[
    tuple[Tag, ...], Field(max_length=100), BeforeValidator(_split_tags), AfterValidator(_each_once)
]
Moment = Annotated[datetime, AfterValidator(_utc)]


class AgentSpec(Section):
    """What to watch, what to ask, where to write, and within which limits.

    `version`, `created_at` and `updated_at` are accepted and managed by the server. Build one with
    `parse_spec` or `load_spec`: the class alone does not check the rules that span several fields.
    """

    id: AgentId
    name: Annotated[Filled, Field(max_length=128)]
    description: Annotated[str, Field(max_length=1024)] | None = None
    watch: WatchSpec
    ai: AISpec
    write: Annotated[WriteSpec, BeforeValidator(empty_if_null)] = WriteSpec()
    execution: Annotated[ExecutionSpec, BeforeValidator(empty_if_null)] = ExecutionSpec()
    policy: PolicySpec | None = None
    enabled: bool = True
    tags: Tags = ()
    metadata: FreeForm = Field(default_factory=dict)
    version: Annotated[Whole, Field(ge=1)] = 1
    created_at: Moment | None = None
    updated_at: Moment | None = None

    @property
    def watch_namespace(self) -> tuple[str, str]:
        """The (database, collection) that is watched."""
        return self.watch.database, self.watch.collection

    @property
    def target_namespace(self) -> tuple[str, str]:
        """The (database, collection) that is written to."""
        database = self.write.target_database or self.watch.database
        return database, self.write.target_collection or self.watch.collection

    @property
    def output_paths(self) -> frozenset[str]:
        """The dotted paths that the agent may write, each with everything below it, and nothing else."""
        return frozenset(path for path, _ in outputs(self.write, self.ai.response_schema, self.policy))

    @property
    def output_roots(self) -> frozenset[str]:
        """The first segments of `output_paths`."""
        return frozenset(path.partition(".")[0] for path in self.output_paths)

    @property
    def coalesces(self) -> bool:
        """Whether changes of a document join its run while that waits; not where each has a state of its own."""
        return self.execution.coalesce and not self.watch.wants_state_after

    def problems(self) -> Iterator[Finding]:
        """Yield what is wrong in a section or between sections although each field is valid by itself."""
        for name, section in self.sections().items():
            for field, message in section.problems():
                yield Finding(f"{name}.{field}", message)
        yield from output_problems(self.write, self.ai.response_schema, self.policy)

    def warnings(self) -> Iterator[Finding]:
        """Yield what is accepted but probably not meant."""
        for name, section in self.sections().items():
            for field, message in section.warnings():
                yield Finding(f"{name}.{field}", message)
        yield from without_effect(self.sections())
        yield from self._unanswered_fields()
        yield from self._fields_written()

    def sections(self) -> Mapping[str, Section]:
        """Return the sections that are present, by name."""
        present: dict[str, Any] = {name: getattr(self, name) for name in SECTIONS}
        return {name: section for name, section in present.items() if section is not None}

    def _unanswered_fields(self) -> Iterator[Finding]:
        schema = self.ai.response_schema
        if schema is None or schema.get("additionalProperties") is not False:
            return
        for key in self.write.fields or {}:
            if key not in answer_keys(schema):
                yield Finding(
                    f"write.fields.{key}",
                    "can never be in the answer: ai.response_schema does not declare it",
                )

    def _fields_written(self) -> Iterator[Finding]:
        if self.target_namespace != self.watch_namespace:
            return
        for field in self.watch.fields or ():
            if any(field == path or field.startswith(f"{path}.") for path in self.output_paths):
                yield Finding(
                    "watch.fields",
                    f"'{field}' is what the agent writes itself, and its own writes never trigger it",
                )


SECTIONS: Mapping[str, type[Section]] = MappingProxyType(
    {"watch": WatchSpec, "ai": AISpec, "write": WriteSpec, "execution": ExecutionSpec, "policy": PolicySpec}
)
