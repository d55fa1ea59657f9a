"""Turns pymongo's errors into ours, by the server's error code.

The server's texts quote documents ("Cannot create field 'x' in element {name: …}"), so they are not kept: the
code's name says what happened, and the place says where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bson.errors import BSONError, InvalidBSON, InvalidDocument, InvalidId, InvalidStringData
from pymongo import errors as mongo

from agents_app.errors import MongoClawError
from enrichment import errors

_Class = type[MongoClawError]

# None: the server's code decides.
MEANING: Mapping[type[BaseException], _Class | None] = {
    mongo.ConnectionFailure: errors.MongoUnavailable,
    mongo.ServerSelectionTimeoutError: errors.MongoUnavailable,
    mongo.WaitQueueTimeoutError: errors.MongoUnavailable,
    mongo.AutoReconnect: errors.MongoUnavailable,
    mongo.NetworkTimeout: errors.MongoUnavailable,
    mongo.NotPrimaryError: errors.MongoUnavailable,
    mongo.ProtocolError: errors.MongoUnavailable,
    mongo.CursorNotFound: errors.MongoUnavailable,
    mongo.ExecutionTimeout: errors.MongoTimeout,
    mongo.WTimeoutError: errors.MongoUnavailable,
    mongo.WriteConcernError: errors.MongoUnavailable,
    mongo.OperationFailure: None,
    mongo.WriteError: None,
    mongo.DuplicateKeyError: errors.WriteRefused,
    mongo.BulkWriteError: None,
    mongo.ClientBulkWriteException: None,
    mongo.InvalidOperation: errors.MongoUnavailable,  # a client that is being closed at shutdown
    mongo.ConfigurationError: errors.MongoMisconfigured,
    mongo.InvalidURI: errors.MongoMisconfigured,
    mongo.InvalidName: errors.MongoMisconfigured,
    mongo.CollectionInvalid: errors.MongoMisconfigured,
    mongo.EncryptionError: errors.MongoMisconfigured,
    mongo.EncryptedCollectionError: errors.MongoMisconfigured,
    mongo.PyMongoError: errors.MongoError,
    mongo.DocumentTooLarge: errors.WriteRefused,
    InvalidDocument: errors.WriteRefused,
    InvalidStringData: errors.WriteRefused,
    InvalidBSON: errors.WriteRefused,
    InvalidId: errors.WriteRefused,
    BSONError: errors.WriteRefused,
    OverflowError: errors.WriteRefused,  # how bson refuses a whole number beyond 64 bits
    RecursionError: errors.WriteRefused,
}

_BY_CODE: Mapping[int, _Class] = {
    **dict.fromkeys((13, 18, 33, 8000), errors.MongoDenied),
    **dict.fromkeys((50, 262), errors.MongoTimeout),
    # The answer does not fit: bad value, wrong type, name or path, immutable field, validation rule, size,
    # depth.
    **dict.fromkeys((2, 9, 14, 15, 28, 40, 52, 53, 54, 55, 56, 57, 61, 66, 121), errors.WriteRefused),
    **dict.fromkeys(
        (10334, 11000, 11001, 12582, 16755, 16837, 17280, 17419, 17420, 31025), errors.WriteRefused
    ),
    **dict.fromkeys((20, 26, 48, 73, 166, 263), errors.MongoMisconfigured),
    # Elections, shutdowns, stale routing, conflicts with another transaction.
    **dict.fromkeys(
        (6, 7, 64, 89, 91, 112, 133, 134, 149, 150, 189, 202, 234, 246, 251), errors.MongoUnavailable
    ),
    **dict.fromkeys((9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436), errors.MongoUnavailable),
}
_WORDS: Mapping[int, str] = {
    13: "the user has no right to do that",
    18: "user or password is wrong",
    28: "another value is in the way of a path",
    66: "a field that never changes would change",
    121: "the collection's validation rules refuse it",
    10334: "the document would be too large",
    11000: "a unique index refuses it",
    17419: "the document would be too large",
    17420: "the document would be too large",
    17280: "an index key would be too large",
}
_RETRYABLE = ("RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult")
_SAFE_TEXT = (mongo.ConnectionFailure, mongo.ConfigurationError, mongo.InvalidName, mongo.InvalidOperation)
_MAX_TEXT = 300


def meaning(error: BaseException) -> _Class:
    """Return our class for an error of pymongo or bson."""
    if isinstance(error, mongo.PyMongoError) and any(error.has_error_label(label) for label in _RETRYABLE):
        return errors.MongoUnavailable
    by_class = next((MEANING[base] for base in type(error).__mro__ if base in MEANING), errors.MongoError)
    if by_class is not None:
        return by_class
    return _BY_CODE.get(_code(error), errors.MongoError)


def translate(error: BaseException, place: str) -> MongoClawError:
    """Return our error for one of pymongo or bson. `place` is what was being done: `write to shop.orders`."""
    kind = meaning(error)
    if isinstance(error, _SAFE_TEXT):
        return kind(f"{place}: {str(error)[:_MAX_TEXT]}")
    code = _code(error)
    details = getattr(error, "details", None)
    name = details.get("codeName") if isinstance(details, Mapping) else None
    what = _WORDS.get(code) or (name if isinstance(name, str) else type(error).__name__)
    return kind(f"{place}: {what}" + (f" (MongoDB error {code})" if code else ""), mongo_code=code)


@contextmanager
def mongo_errors(place: str) -> Iterator[None]:
    """Raise our errors in place of pymongo's. `place` is what is being done, such as `read shop.orders`."""
    try:
        yield
    except mongo.ConnectionFailure as error:
        raise translate(error, place) from error
    except tuple(MEANING) as error:
        # Not `from error`: a stored traceback would show the server's text, and with it parts of documents.
        raise translate(error, place) from None


def _code(error: BaseException) -> int:
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else 0
