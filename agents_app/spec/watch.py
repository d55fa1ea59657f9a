"""What an agent watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, field_serializer

from agents_app.spec import filter as watch_filter
from agents_app.spec.names import CollectionName, DatabaseName, WatchedPath
from agents_app.spec.section import Filled, Finding, Section


class HistoryPolicy(StrEnum):
    """What happens when changes can no longer be read because the oplog has dropped them."""

    FAIL = "fail"
    BACKFILL = "backfill"
    SKIP = "skip_with_gap_record"


class Operation(StrEnum):
    """A kind of change to a document."""

    INSERT = "insert"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


_Entry = TypeVar("_Entry")


def _each_once(value: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    return tuple(dict.fromkeys(value))


Filter = Annotated[Mapping[str, Any], AfterValidator(watch_filter.to_query)]
Operations = Annotated[tuple[Operation, ...], Field(min_length=1), AfterValidator(_each_once)]
Fields = Annotated[tuple[WatchedPath, ...], Field(min_length=1, max_length=100), AfterValidator(_each_once)]


class WatchSpec(Section):
    """Which changes of which collection are matched.

    `filter` is a MongoDB query that holds BSON values, ready for `find`; it is dumped as Extended JSON.
    """

    database: DatabaseName
    collection: CollectionName
    operations: Operations = (Operation.INSERT, Operation.UPDATE)
    filter: Filter | None = None
    projection: tuple[Filled, ...] | None = None
    full_document: Literal["updateLookup", "default", "whenAvailable", "required"] = "updateLookup"
    full_document_before_change: Literal["off", "whenAvailable", "required"] = "off"
    fields: Fields | None = None
    on_history_lost: HistoryPolicy | None = None

    @property
    def deletes_only(self) -> bool:
        """Whether no document is there any more when the agent is to work on it."""
        return set(self.operations) == {Operation.DELETE}

    @property
    def history_policy(self) -> HistoryPolicy:
        """The policy for lost history. By default what is still there is worked through again.

        Where only deletes are watched, nothing is there to be worked through, and the agent stops.
        """
        if self.on_history_lost is not None:
            return self.on_history_lost
        return HistoryPolicy.FAIL if self.deletes_only else HistoryPolicy.BACKFILL

    @property
    def wants_state_before(self) -> bool:
        """Whether a run is given the document as it was before the change: the pre-image."""
        return self.full_document_before_change != "off"

    @property
    def wants_state_after(self) -> bool:
        """Whether a run works on the document as the change left it, and not on its newest state."""
        return self.full_document in {"whenAvailable", "required"}

    @property
    def image_settings(self) -> tuple[str, ...]:
        """The settings by which images are asked for, where they are."""
        before = ("full_document_before_change",) if self.wants_state_before else ()
        return (*before, "full_document") if self.wants_state_after else before

    @field_serializer("filter")
    def _dump_filter(self, value: Mapping[str, Any] | None) -> Any:
        return watch_filter.to_extended_json(value)

    def problems(self) -> Iterator[Finding]:
        """Yield each operator in the filter that a watcher cannot ask MongoDB to evaluate."""
        for path, reason in watch_filter.forbidden(self.filter):
            yield Finding(f"filter.{path}", reason)

    def warnings(self) -> Iterator[Finding]:
        """Yield operators that we do not know, and settings that have no effect on the operations watched."""
        for key, remark in watch_filter.doubtful(self.filter or {}):
            yield Finding(f"filter.{key}", remark)
        if self.fields is not None and Operation.UPDATE not in self.operations:
            yield Finding("fields", "has no effect: only updates have changed fields, and none are watched")
        if self.wants_state_before and set(self.operations) == {Operation.INSERT}:
            yield Finding("full_document_before_change", "has no effect: there is nothing before an insert")
        if self.wants_state_after and self.deletes_only:
            yield Finding("full_document", "has no effect: there is nothing after a delete")
        if self.full_document == "default":
            yield Finding("full_document", "means the same as updateLookup: the newest state is read")
