from __future__ import annotations

from collections.abc import Iterator

import bson.errors
import pymongo.errors
import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure, PyMongoError, WriteError

from agents_app.errors import Decision, MongoClawError
from enrichment.errors import MongoError, MongoUnavailable, WriteRefused
from enrichment.mongo_errors import MEANING, meaning, mongo_errors, translate


def _tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def _public(module: object, root: type[Exception]) -> list[type[Exception]]:
    named = {value for value in vars(module).values() if isinstance(value, type)}
    return sorted(named.intersection(_tree(root)), key=lambda error: error.__name__)


@pytest.mark.parametrize("error", _public(pymongo.errors, PyMongoError), ids=lambda error: error.__name__)
def test_every_error_of_pymongo_has_an_entry_or_a_private_ancestor_with_one(error: type[Exception]) -> None:
    if error.__name__.startswith("_"):
        assert any(base in MEANING for base in error.__mro__[1:])
    else:
        assert error in MEANING


@pytest.mark.parametrize(
    "error", _public(bson.errors, bson.errors.BSONError), ids=lambda error: error.__name__
)
def test_every_error_of_bson_has_an_entry(error: type[Exception]) -> None:
    assert error in MEANING


def test_every_entry_gives_an_error_of_ours() -> None:
    for kind in MEANING.values():
        assert kind is None or issubclass(kind, MongoClawError)


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        (13, Decision.PERMANENT),
        (18, Decision.PERMANENT),
        (28, Decision.DEAD),
        (121, Decision.DEAD),
        (17419, Decision.DEAD),
        (11000, Decision.DEAD),
        (50, Decision.DEFER),
        (91, Decision.DEFER),
        (112, Decision.DEFER),
        (10107, Decision.DEFER),
        (11602, Decision.DEFER),
        (99999, Decision.RETRY),
    ],
)
def test_the_servers_code_decides(code: int, decision: Decision) -> None:
    assert meaning(OperationFailure("some text", code)).decision is decision
    assert meaning(WriteError("some text", code)).decision is decision


def test_a_label_that_allows_another_try_comes_before_the_code() -> None:
    error = OperationFailure("x", 13, {"errorLabels": ["RetryableWriteError"]})
    assert meaning(error) is MongoUnavailable


def test_the_servers_text_is_not_repeated_and_the_connections_is() -> None:
    refused = translate(WriteError("Cannot create field in {name: 'Ada'}", 28), "write to a.b")
    assert "Ada" not in str(refused)
    assert str(refused).startswith("write to a.b: ")
    bulk = translate(BulkWriteError({"writeErrors": [{"op": {"name": "Ada"}}]}), "write to a.b")
    assert "Ada" not in str(bulk)
    assert "host:1: closed" in str(translate(AutoReconnect("host:1: closed"), "write to a.b"))


@pytest.mark.parametrize(
    "error", [OverflowError("int too large"), RecursionError("deep"), bson.errors.InvalidDocument("x")]
)
def test_what_bson_cannot_encode_is_refused(error: Exception) -> None:
    with pytest.raises(WriteRefused), mongo_errors("write to a.b"):
        raise error


def test_an_unknown_error_of_pymongo_is_tried_again() -> None:
    with pytest.raises(MongoError) as caught, mongo_errors("read a.b"):
        raise PyMongoError("new in some later version")
    assert caught.value.decision is Decision.RETRY


def test_errors_of_other_libraries_pass() -> None:
    with pytest.raises(KeyError), mongo_errors("read a.b"):
        raise KeyError("x")
