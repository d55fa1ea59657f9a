"""A value that is not there: any use of it but asking for it fails, naming the whole path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Undefined


class Missing(StrictUndefined):
    """A missing field or variable."""

    __slots__ = ()

    def named(self, path: str) -> None:
        """Tell which path of the template it stands for, unless it knows."""
        if self._undefined_hint is None:
            self._undefined_hint = _message(path, self._undefined_obj, self._undefined_name)


def fail_if_missing(value: object) -> None:
    """Raise UndefinedError if the value is missing."""
    if isinstance(value, Undefined):
        _fail(value)


def _fail(value: Undefined) -> NoReturn:
    value._fail_with_undefined_error()  # noqa: SLF001  # the only way to raise its own message


def _message(path: str, owner: Any, name: object) -> str:
    if isinstance(owner, Mapping):
        return f"{path} is missing"
    if isinstance(owner, list | tuple):
        return f"{path} is missing: the list has {len(owner)} entries"
    if owner is None:
        return f"{path} is missing: its owner is null"
    return f"{path} is missing: {_kind(owner)} has no {str(name)[:40]!r}"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else f"a {type(value).__name__}"
