"""BSON values as plain JSON values: what templates, policies and prompts see of a document."""

from __future__ import annotations

import base64
import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, cast

from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE, Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from agents_app.errors import MongoClawError

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

Scalar: TypeAlias = "bool | int | float | str | None"

MAX_VALUES = 200_000
MAX_CHARACTERS = 24_000_000
MAX_DEPTH = 120
MAX_UNKNOWN_CHARACTERS = 1_000
_UUID_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_REGEX_FLAGS = (
    (re.IGNORECASE, "i"),
    (re.MULTILINE, "m"),
    (re.DOTALL, "s"),
    (re.VERBOSE, "x"),
    (re.UNICODE, "u"),
)


class ValueTooLarge(MongoClawError):
    """A value of the document is too large for a prompt."""

    code = "document_too_large"


def to_plain(value: object, conversion: Conversion | None = None) -> Plain:
    """Return the value as JSON-able data, the same for equal BSON values.

    ObjectId, UUID and Decimal128 become text, dates ISO text (a date without a zone is UTC, as in BSON),
    binary data base64 text, NaN and the infinities text. Raises ValueTooLarge beyond 200,000 values, 24
    million characters or 120 levels.
    """
    return (conversion or Conversion()).convert(value, 0)


class Conversion:
    """What the conversion of one value, or of several together, has used up of its allowance."""

    __slots__ = ("characters", "most_values", "values")

    def __init__(self, most_values: int = MAX_VALUES) -> None:
        self.most_values = most_values
        self.values = 0
        self.characters = 0

    def convert(self, value: object, depth: int) -> Plain:
        """Return the value as plain data. Raises ValueTooLarge."""
        self._count(depth)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.convert(item, depth + 1) for item in value]
        if isinstance(value, DBRef):
            return self._mapping(value.as_doc(), depth)
        if isinstance(value, Code) and value.scope is not None:
            return self._mapping({"$code": str(value), "$scope": value.scope}, depth)
        plain = _scalar(value)
        if isinstance(plain, str):
            self._count_text(plain)
        return plain

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Plain:
        plain: dict[str, Plain] = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else str(key)
            self._count_text(name)
            plain[name] = self.convert(item, depth + 1)
        return plain

    def _count(self, depth: int) -> None:
        self.values += 1
        if depth > MAX_DEPTH:
            raise ValueTooLarge(f"the value is nested deeper than {MAX_DEPTH} levels")
        if self.values > self.most_values:
            raise ValueTooLarge(f"there are more than {self.most_values:,} values")

    def _count_text(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > MAX_CHARACTERS:
            raise ValueTooLarge(f"there are more than {MAX_CHARACTERS:,} characters")


def _scalar(value: object) -> Scalar:
    exact = type(value)
    if value is None or exact is str or exact is int or exact is bool:
        return cast(Scalar, value)
    if isinstance(value, float):
        return _float(value)
    for kind, convert in _SCALARS:
        if isinstance(value, kind):
            return convert(value)
    return str(value)[:MAX_UNKNOWN_CHARACTERS]


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _moment(value: datetime) -> str:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _milliseconds(value: DatetimeMS) -> str:
    try:
        return _moment(_EPOCH + timedelta(milliseconds=int(value)))
    except OverflowError:  # years beyond 9999, which BSON allows
        return f"{int(value)} ms"


def _binary(value: Binary) -> str:
    if value.subtype in (OLD_UUID_SUBTYPE, UUID_SUBTYPE) and len(value) == _UUID_BYTES:
        return str(uuid.UUID(bytes=bytes(value)))
    return base64.b64encode(value).decode("ascii")


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _flags(flags: int) -> str:
    return "".join(letter for flag, letter in _REGEX_FLAGS if flags & flag)


def _regex(value: Regex[str]) -> str:
    return f"/{_pattern_text(value.pattern)}/{_flags(value.flags)}"


def _compiled(value: re.Pattern[str]) -> str:
    return f"/{_pattern_text(value.pattern)}/{_flags(value.flags & ~re.UNICODE)}"


def _pattern_text(pattern: str | bytes) -> str:
    return pattern if isinstance(pattern, str) else pattern.decode("utf-8", "replace")


def _timestamp(value: Timestamp) -> str:
    return f"Timestamp({value.time}, {value.inc})"


def _constant(text: str) -> Callable[[object], str]:
    return lambda _: text


_SCALARS = cast(
    Iterable[tuple[type, Callable[[object], Scalar]]],
    (
        (bool, bool),
        (int, int),
        (str, str),
        (ObjectId, str),
        (datetime, _moment),
        (DatetimeMS, _milliseconds),
        (Decimal128, str),
        (Decimal, str),
        (uuid.UUID, str),
        (Binary, _binary),
        (bytes, _bytes),
        (Regex, _regex),
        (re.Pattern, _compiled),
        (Timestamp, _timestamp),
        (MinKey, _constant("MinKey")),
        (MaxKey, _constant("MaxKey")),
        (date, date.isoformat),
        (time, time.isoformat),
    ),
)
