"""The values of JSON Schema's `format` that are enforced. Others are notes to the model and warned about."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime, time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jsonschema import FormatChecker

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 2_048
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.][^\s@]{0,252}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and date.fromisoformat(text) is not None


def _time(text: str) -> bool:
    return _CLOCK.fullmatch(text) is not None and time.fromisoformat(_to_microseconds(text)) is not None


def _date_time(text: str) -> bool:
    day, separator, clock = text[:10], text[10:11], text[11:]
    if separator not in ("T", "t", " ") or not _DATE.fullmatch(day) or not _CLOCK.fullmatch(clock):
        return False
    return datetime.fromisoformat(f"{day}T{_to_microseconds(clock)}") is not None


def _to_microseconds(clock: str) -> str:
    # Python reads six digits at most, the standard allows any number.
    return re.sub(r"(\.\d{6})\d+", r"\1", clock.upper())


def _email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def _uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and uuid.UUID(text) is not None


def _uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and not re.search(r"\s", text)


def _ipv4(text: str) -> bool:
    return IPv4Address(text) is not None


def _ipv6(text: str) -> bool:
    return "%" not in text and IPv6Address(text) is not None


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "date": _date,
    "date-time": _date_time,
    "email": _email,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "time": _time,
    "uri": _uri,
    "uuid": _uuid,
}
ENFORCED: Final = frozenset(_CHECKS)


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, check in _CHECKS.items():
        checker.checks(name, raises=ValueError)(_on_text(check))
    return checker


def _on_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    def holds(value: object) -> bool:
        return not isinstance(value, str) or (len(value) <= _LONGEST and check(value))

    return holds


FORMATS: Final = _checker()
