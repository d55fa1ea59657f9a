"""Where an answer is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from agents_app.spec.names import CollectionName, DatabaseName, WritePath
from agents_app.spec.section import Filled, Finding, Section
from agents_app.spec.strategy import Strategy, join

_NEEDED: Final = frozenset(strategy.needs for strategy in Strategy)
"""The fields that are there for one strategy."""


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

    @property
    def place(self) -> str:
        """What the field says that the strategy needs; "" if it needs none."""
        return "" if self.strategy.needs is None else getattr(self, self.strategy.needs) or ""

    @property
    def base(self) -> str:
        """The path below which the fields of the answer are; "" for the document's root, or that of an element."""
        return join("" if self.strategy.gathers else self.place, self.target_field)

    def problems(self) -> Iterator[Finding]:
        """Yield the field that the strategy needs and does not have, and two keys written to one place."""
        needed = self.strategy.needs
        if needed is not None and not self.place:
            yield Finding(needed, f"is required when write.strategy is {self.strategy.value}")
        seen: dict[str, str] = {}
        for key, path in (self.fields or {}).items():
            if path in seen:
                yield Finding(f"fields.{key}", f"writes to '{path}', and so does '{seen[path]}'")
            seen[path] = key

    def warnings(self) -> Iterator[Finding]:
        """Yield targets that the strategy does not use."""
        for field in WriteSpec.model_fields:
            if field in _NEEDED - {self.strategy.needs} and getattr(self, field) is not None:
                yield Finding(field, f"is not used when write.strategy is {self.strategy.value}")
