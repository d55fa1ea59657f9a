"""Where an answer is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agents_app.spec.names import CollectionName, DatabaseName, WritePath
from agents_app.spec.section import Filled, Finding, Section


class Strategy(StrEnum):
    """How the fields of an answer land in the document."""

    MERGE = "merge"
    REPLACE = "replace"
    APPEND = "append"
    NESTED = "nested"


class WriteSpec(Section):
    """Strategy and targets. Paths are dotted; `fields` maps keys of the answer to where they are written."""

    strategy: Strategy = Strategy.MERGE
    target_database: DatabaseName | None = None
    target_collection: CollectionName | None = None
    fields: Annotated[Mapping[Filled, WritePath], Field(min_length=1, max_length=500)] | None = None
    target_field: WritePath | None = None
    path: WritePath | None = None
    array_field: WritePath | None = None
    idempotency_key: Annotated[Filled, Field(max_length=4096)] | None = None
    include_metadata: bool = True
    metadata_field: WritePath = "_ai_metadata"

    def problems(self) -> Iterator[Finding]:
        """Yield the field that the strategy needs and does not have, and two keys written to one place."""
        if self.strategy is Strategy.NESTED and self.path is None:
            yield Finding("path", "is required when write.strategy is nested")
        if self.strategy is Strategy.APPEND and self.array_field is None:
            yield Finding("array_field", "is required when write.strategy is append")
        seen: dict[str, str] = {}
        for key, path in (self.fields or {}).items():
            if path in seen:
                yield Finding(f"fields.{key}", f"writes to '{path}', and so does '{seen[path]}'")
            seen[path] = key

    def warnings(self) -> Iterator[Finding]:
        """Yield targets that the strategy does not use."""
        if self.path is not None and self.strategy is not Strategy.NESTED:
            yield Finding("path", f"is not used when write.strategy is {self.strategy.value}")
        if self.array_field is not None and self.strategy is not Strategy.APPEND:
            yield Finding("array_field", f"is not used when write.strategy is {self.strategy.value}")
