"""What an agent is asked to work on: a document, or the `_id` of one that is there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import bson
from bson import ObjectId, Regex
from bson.errors import BSONError

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.filter import from_extended_json

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of BSON that a document of MongoDB may have."""

KEY_LENGTH: Final = 255
FIELDS: Final = ("document", "document_id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `document` is None where only its key was given; `digest` is that of the whole request."""

    document: Mapping[str, Any] | None
    keys: tuple[object, ...]
    """The `_id`s that may be meant; none where the document has none yet."""

    digest: str


def read_wanted(body: object) -> Wanted:
    """Read a body in relaxed Extended JSON. Raises SpecInvalid with every problem and its place."""
    if not isinstance(body, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    problems = list(_problems(body))
    if problems:
        raise SpecInvalid(errors=problems)
    digest = blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=16).hexdigest()
    if "document_id" in body:
        return Wanted(
            None, _meant(_decoded("document_id", {"_id": body["document_id"]}), "document_id"), digest
        )
    document = _decoded("document", body["document"])
    return Wanted(document, _meant(document, "document._id") if "_id" in document else (), digest)


def read_key(text: str | None) -> str | None:
    """Read the header Idempotency-Key. Raises SpecInvalid."""
    if text is None:
        return None
    if not is_key(text):
        told = f"must be 1 to {KEY_LENGTH} characters"
        raise SpecInvalid(errors=[SpecProblem("Idempotency-Key", told)], place="header")
    return text.strip()


def is_key(text: str) -> bool:
    """Whether a text can name a request, be it in the header or in a body."""
    return bool(text.strip()) and len(text) <= KEY_LENGTH


def _problems(body: Mapping[str, Any]) -> Iterator[SpecProblem]:
    yield from (SpecProblem(str(name), "unknown field") for name in body if name not in FIELDS)
    if sum(name in body for name in FIELDS) != 1:
        yield SpecProblem("", "give exactly one of document and document_id")
    if "document" in body and not isinstance(body["document"], Mapping):
        yield SpecProblem("document", "must be an object")
    if "document_id" in body and body["document_id"] is None:
        yield SpecProblem("document_id", "must not be null")


def _decoded(field: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Turn Extended JSON into what MongoDB stores. Raises SpecInvalid."""
    try:
        document: dict[str, Any] = {name: from_extended_json(item) for name, item in value.items()}
        size = len(bson.encode(document))
    except (BSONError, OverflowError, RecursionError, TypeError, ValueError) as error:
        told = f"cannot be stored in MongoDB: {_legible(error)}"
        raise SpecInvalid(errors=[SpecProblem(field, told)]) from None
    if size > LARGEST:
        raise SpecInvalid(errors=[SpecProblem(field, f"is larger than {LARGEST:,} bytes, MongoDB's limit")])
    return document


def _legible(error: Exception) -> str:
    """Say what is wrong without quoting the document."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OverflowError):
        return "a whole number does not fit into 64 bits"
    if isinstance(error, UnicodeError):
        return "a text is no valid Unicode"
    return "a key or a value of Extended JSON is not valid"


def _meant(document: Mapping[str, Any], place: str) -> tuple[object, ...]:
    """Give the `_id`s that are written like this: JSON has no ObjectId, so people write it as text.

    Raises SpecInvalid for what is none: a regular expression would find documents instead of naming one.
    """
    key = document["_id"]
    if isinstance(key, (list, Regex, re.Pattern)):
        raise SpecInvalid(errors=[SpecProblem(place, "cannot be the _id of a document")])
    if isinstance(key, str) and ObjectId.is_valid(key):
        return (key, ObjectId(key))
    return (key,)
