from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.binary import UuidRepresentation
from pymongo import MongoClient
from pymongo.database import Database

from watcher.backfill.key import Key, value_of
from watcher.backfill.ranges import Bounds, between, divide
from watcher.backfill.reading import Reader

Document = dict[str, Any]

KEYS: tuple[object, ...] = (
    MinKey(),
    None,
    float("nan"),
    float("-inf"),
    -0.0,
    1,
    Int64(2**40),
    3.5,
    Decimal128("7.25"),
    Decimal128("1E+6000"),
    "",
    "B",
    "a",
    "ä",
    {"a": 1},
    {"b": None},
    {"a": {"b": [1, 2]}},
    Binary(b"x"),
    Binary(b"yy", 128),
    Binary.from_uuid(uuid.UUID(int=5), UuidRepresentation.STANDARD),
    ObjectId(),
    False,
    True,
    datetime(1960, 1, 1, tzinfo=UTC),
    datetime(2020, 1, 1, tzinfo=UTC),
    Timestamp(5, 6),
    Code("x"),
    Code("y", {"q": 1}),
    MaxKey(),
)
KINDS: dict[str, Document] = {
    "simple": {},
    "with a collation": {"collation": {"locale": "en", "strength": 2}},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
}


def read_all(reader: Reader, ranges: list[Bounds], *, chunk: int) -> list[Key]:
    """Read range after range, chunk by chunk, as a backfill does."""
    keys: list[Key] = []
    for bounds in ranges:
        after, exhausted = None, False
        while not exhausted:
            read = reader.read(bounds, after, chunk)
            exhausted = read.exhausted
            assert read.found or exhausted, "it would never end"
            after = read.found[-1].key if read.found else after
            keys += [found.key for found in read.found]
    return keys


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_documents_with_keys_of_every_type_are_read_once(
    mongo: MongoClient[Document], mongo_db: Database[Document], kind: str, chunk: int
) -> None:
    collection = mongo_db.create_collection("mixed", **KINDS[kind])
    collection.insert_many([{"_id": key} for key in KEYS])
    reader = Reader(mongo, (mongo_db.name, "mixed"), hash_path=None)

    keys = read_all(reader, [Bounds()], chunk=chunk)

    assert sorted(keys) == sorted(bson.encode({"_id": key}) for key in KEYS)


@pytest.mark.parametrize("kind", ["simple", "with a collation"])
def test_ranges_whose_bounds_are_keys_of_every_type_hold_each_document_once(
    mongo: MongoClient[Document], mongo_db: Database[Document], kind: str
) -> None:
    collection = mongo_db.create_collection("mixed", **KINDS[kind])
    collection.insert_many([{"_id": key} for key in KEYS])
    reader = Reader(mongo, (mongo_db.name, "mixed"), hash_path=None)
    in_order = read_all(reader, [Bounds()], chunk=1000)

    assert read_all(reader, between(in_order[1:-1]), chunk=2) == in_order


def test_the_server_puts_boundaries_of_mixed_types_in_its_own_order(
    mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.mixed.insert_many([{"_id": n if n % 2 else f"text {n}"} for n in range(2_000)])
    reader = Reader(mongo, (mongo_db.name, "mixed"), hash_path=None)

    ranges = divide(mongo_db.mixed, 8)
    lengths = [len(read_all(reader, [bounds], chunk=500)) for bounds in ranges]

    assert len(ranges) == 8
    assert sum(lengths) == 2_000
    assert max(lengths) < 1_000, "a range with half of the documents is no division"


def test_a_key_that_is_deleted_while_the_range_waits_takes_no_other_along(
    mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(10)])
    reader = Reader(mongo, (mongo_db.name, "tickets"), hash_path=None)
    first = reader.read(Bounds(), None, 4)

    mongo_db.tickets.delete_one({"_id": 3})
    second = reader.read(Bounds(), first.found[-1].key, 4)

    assert [value_of(found.key) for found in second.found] == [4, 5, 6, 7]


def test_text_that_is_no_utf_8_leads_on_to_its_neighbour(
    mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    broken = bson.encode({"_id": "aXXc"}).replace(b"XX", b"\xff\xfe")
    mongo_db.command({"insert": "odd", "documents": [bson.raw_bson.RawBSONDocument(broken)]})
    mongo_db.odd.insert_many([{"_id": "a"}, {"_id": "z"}, {"_id": "\U0010ffff"}])
    reader = Reader(mongo, (mongo_db.name, "odd"), hash_path=None)

    assert len(read_all(reader, [Bounds()], chunk=1)) == 4


def test_a_chunk_of_more_than_16_mb_is_read_to_its_end(
    mongo: MongoClient[Document], mongo_db: Database[Document]
) -> None:
    mongo_db.large.insert_many([{"_id": {"n": n, "pad": "x" * 6_000_000}} for n in range(4)])
    reader = Reader(mongo, (mongo_db.name, "large"), hash_path=None)

    read = reader.read(Bounds(), None, 10)

    assert len(read.found) == 4
    assert read.exhausted


def test_a_chunk_says_when_it_was_read(mongo: MongoClient[Document], mongo_db: Database[Document]) -> None:
    mongo_db.tickets.insert_many([{"_id": n} for n in range(3)])
    reader = Reader(mongo, (mongo_db.name, "tickets"), hash_path=None)
    times = []
    for number in itertools.count(10):
        times.append(reader.read(Bounds(), None, 2).time)
        mongo_db.tickets.insert_one({"_id": number})
        if number == 12:
            break

    assert times == sorted(set(times))
