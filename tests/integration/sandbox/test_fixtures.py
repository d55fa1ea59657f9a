"""The fixtures give what they promise."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from pymongo import MongoClient
from pymongo.database import Database
from redis import Redis

from sandbox.model.client import ModelControl


def test_the_mongo_database_is_a_replica_set_and_new(mongo_db: Database[dict[str, Any]]) -> None:
    assert mongo_db.list_collection_names() == []
    with mongo_db.things.watch(max_await_time_ms=100) as stream:
        mongo_db.things.insert_one({"_id": 1})
        assert stream.next()["operationType"] == "insert"


def test_every_test_asks_the_same_mongod(mongo: MongoClient[dict[str, Any]], mongo_uri: str) -> None:
    assert mongo.admin.command("hello")["setName"]
    assert mongo_uri.startswith("mongodb://")


def test_the_broker_is_empty(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_the_broker_is_empty_again(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_the_model_has_counted_nothing(sandbox_model: ModelControl) -> None:
    assert sandbox_model.calls()["total"] == 0


@pytest.mark.django_db
def test_django_uses_the_database_that_was_asked_for(database_url: str) -> None:
    vendor = "postgresql" if database_url.startswith("postgresql:") else "sqlite"
    assert connection.vendor == vendor
    assert connection.settings_dict["NAME"] not in database_url
