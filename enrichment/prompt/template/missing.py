"""A value that is not there: reading on from it gives it again, any other use fails and names its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Self

from jinja2 import StrictUndefined, Undefined
from jinja2.utils import missing


class Missing(StrictUndefined):
    """A missing field or variable.

    What is below it is missing too and keeps the name of the first path that was, so that `default` can
    stand in for the end of a long path.
    """

    __slots__ = ()

    def __getitem__(self, _: object) -> Self:  # type: ignore[override]  # typed as never returning
        return self  # templates slice without asking the environment

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint is not None or self._undefined_obj is missing:
            return super()._undefined_message
        return _message(str(self._undefined_name)[:40], self._undefined_obj, self._undefined_name)

    def named(self, path: str) -> None:
        """Tell which path of the template it stands for, unless it knows."""
        if self._undefined_hint is None and self._undefined_obj is not missing:  # a variable has its name
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
