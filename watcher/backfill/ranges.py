"""Dividing a collection into ranges of keys that are read side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from watcher.backfill.key import LAST, RAW, Key, key_of

DOCUMENTS_PER_RANGE: Final = 25_000
MOST_RANGES: Final = 32
SAMPLES_PER_RANGE: Final = 20
"""Enough that no range is several times as long as another."""

SAMPLE_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range: the first key, and the first key behind it; None for an open end."""

    lower: Key | None = None
    upper: Key | None = None


def how_many(documents: int, *, limited: bool) -> int:
    """Choose how many ranges to make. One that has a limit counts exactly, which ranges side by side cannot."""
    return 1 if limited else max(1, min(MOST_RANGES, documents // DOCUMENTS_PER_RANGE))


def divide(collection: Collection[dict[str, Any]], count: int) -> list[Bounds]:
    """Divide all keys into at most `count` ranges of about the same number of documents.

    The server sorts the samples, so that boundaries of all types and of any collation are in its order. Raises
    pymongo's errors.
    """
    return between(_boundaries(collection, count)) if count > 1 else [Bounds()]


def between(boundaries: Sequence[Key]) -> list[Bounds]:
    """Make ranges of boundaries that are in order."""
    lowers: list[Key | None] = [None, *boundaries]
    uppers: list[Key | None] = [*boundaries, None]
    return [Bounds(lower, upper) for lower, upper in zip(lowers, uppers, strict=True)]


def _boundaries(collection: Collection[dict[str, Any]], count: int) -> list[Key]:
    raw: Collection[RawBSONDocument] = collection.with_options(codec_options=RAW)
    pipeline = [
        {"$sample": {"size": count * SAMPLES_PER_RANGE}},
        {"$project": {"_id": 1}},
        {"$sort": {"_id": 1}},
    ]
    samples = [key_of(found) for found in raw.aggregate(pipeline, maxTimeMS=SAMPLE_MS, allowDiskUse=True)]
    step = max(1, len(samples) // count)
    # A sample may hold a document twice, and an empty range would be no harm but no use either.
    return [key for key in dict.fromkeys(samples[step::step]) if key != LAST][: count - 1]
