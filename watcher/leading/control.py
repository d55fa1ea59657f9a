"""What operators ask of the streams: a document per database, obeyed by whichever watcher reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pymongo
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from agents_app.errors import ConfigurationError
from watcher.connection import CALL_SECONDS
from watcher.unit import Unit

Document = dict[str, Any]

MOST_PARTS: Final = 8
"""Every part reads the whole oplog at the server; only transport and decoding are shared out."""

_UNKNOWN_OPERATOR: Final = frozenset({168, 31325, 15999})


class DivisionUnsupported(ConfigurationError):
    """The server has no `$toHashedIndexKey`, so a stream cannot be divided.

    Upgrade MongoDB to 5.0.25, 6.0.14, 7.0.6, 8.0 or later, or leave the stream in one part.
    """

    code: ClassVar[str] = "division_unsupported"

    def __init__(self) -> None:
        super().__init__(
            "The server has no `$toHashedIndexKey`, so a stream cannot be divided: upgrade MongoDB "
            "to 5.0.25, 6.0.14, 7.0.6, 8.0 or later, or leave the stream in one part"
        )


class PartsInvalid(ConfigurationError):
    """A stream can be divided into 1 to 8 parts."""

    code: ClassVar[str] = "parts_invalid"


@dataclass(frozen=True, slots=True)
class Control:
    """What is asked of one database's stream.

    `layout` grows with each new number of parts, `generation` with each position that an operator sets.
    """

    paused: bool = False
    partitions: int = 1
    layout: int = 0
    generation: int = 0


def units_of(database: str, control: Control) -> tuple[Unit, ...]:
    """Name the units of a database."""
    return tuple(Unit(database, part, control.partitions) for part in range(control.partitions))


def can_divide(collection: Collection[Document]) -> bool:
    """Say whether the server can tell parts of a database apart. Raises pymongo's other errors."""
    probe: list[Document] = [{"$limit": 1}, {"$project": {"_id": {"$toHashedIndexKey": "$_id"}}}]
    try:
        with pymongo.timeout(CALL_SECONDS):
            list(collection.aggregate(probe))
    except OperationFailure as error:
        if error.code in _UNKNOWN_OPERATOR:
            return False
        raise
    return True


class Controls:
    """The control documents of all databases. Every method raises pymongo's errors."""

    def __init__(self, collection: Collection[Document]) -> None:
        self._collection = collection

    def read(self) -> dict[str, Control]:
        """Read them all; a database without one has the defaults."""
        with pymongo.timeout(CALL_SECONDS):
            found = list(self._collection.find({}))
        return {
            one["_id"]: Control(
                paused=bool(one.get("paused", False)),
                partitions=int(one.get("partitions", 1)),
                layout=int(one.get("layout", 0)),
                generation=int(one.get("generation", 0)),
            )
            for one in found
        }

    def pause(self, database: str) -> None:
        """Stop reading a database; its position stays, and the oplog goes on ageing."""
        self._change(database, {"paused": True})

    def resume(self, database: str) -> None:
        """Read on from where reading was paused."""
        self._change(database, {"paused": False})

    def renew(self, database: str) -> None:
        """Let the readers of a database begin anew from the stored positions."""
        self._change(database, {"generation": {"$add": [{"$ifNull": ["$generation", 0]}, 1]}})

    def divide(self, database: str, parts: int) -> None:
        """Read a database in so many parts from now on.

        Raises PartsInvalid, and DivisionUnsupported where the server cannot.
        """
        if not 1 <= parts <= MOST_PARTS:
            raise PartsInvalid(f"a stream can be divided into 1 to {MOST_PARTS} parts, not {parts}")
        if parts > 1 and not can_divide(self._collection):
            raise DivisionUnsupported
        same = {"$eq": [{"$ifNull": ["$partitions", 1]}, parts]}
        layout = {"$ifNull": ["$layout", 0]}
        self._change(
            database,
            {"partitions": parts, "layout": {"$cond": [same, layout, {"$add": [layout, 1]}]}},
        )

    def _change(self, database: str, fields: Document) -> None:
        with pymongo.timeout(CALL_SECONDS):
            self._collection.update_one({"_id": database}, [{"$set": fields}], upsert=True)
