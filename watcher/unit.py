"""What one cursor reads: a database, or a part of its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STREAM_LEASE: Final = "stream:"
"""What the names of streams' leases, and so of their terms, begin with."""


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """Part `part` (from 0) of `of` parts of a database, by the hash of `_id`; usually all of it.

    A document is always in the same part, so its changes stay in order.
    """

    database: str
    part: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """The name of its stream and of its position: the database's name where it is not divided."""
        return self.database if self.of == 1 else f"{self.database}#{self.part}/{self.of}"

    @property
    def lease(self) -> str:
        """The name of its lease."""
        return STREAM_LEASE + self.name
