"""The write strategies: all that is said about one is here. A new one is a member and a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an answer does to a document: dotted paths that are set, removed, or pushed to.

    `dropped` names the keys of the answer that the agent does not declare; they are written nowhere.
    """

    sets: Mapping[str, Any] = field(default_factory=dict)
    unsets: tuple[str, ...] = ()
    pushes: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Every path that is touched."""
        return frozenset(self.sets) | frozenset(self.unsets) | frozenset(self.pushes)


@dataclass(frozen=True, slots=True)
class Landing:
    """An answer that is to be written.

    `fields` are its paths and values below `base`, which is "" for the document's root; none is inside another.
    `declared` are the paths that the agent may write. `place` is what the field says that the strategy needs.
    """

    fields: Mapping[str, Any]
    base: str
    declared: tuple[str, ...]
    place: str

    @property
    def from_root(self) -> dict[str, Any]:
        """The fields by their whole paths."""
        return {join(self.base, path): value for path, value in self.fields.items()}


def join(*parts: str | None) -> str:
    """Return the dotted path of `parts`, leaving out the empty ones."""
    return ".".join(part for part in parts if part)


def tree(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Build the object that setting each of the dotted paths would build."""
    built: dict[str, Any] = {}
    for path, value in fields.items():
        *outer, last = path.split(".")
        place = built
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return built


def _merge(landing: Landing) -> Assignment:
    return Assignment(sets=landing.from_root)


def _replace(landing: Landing) -> Assignment:
    if landing.base:
        return Assignment(sets={landing.base: tree(landing.fields)})
    gone = tuple(path for path in landing.declared if path not in landing.fields)
    return Assignment(sets=landing.fields, unsets=gone)


def _append(landing: Landing) -> Assignment:
    return Assignment(pushes={landing.place: tree(landing.from_root)})


class Strategy(StrEnum):
    """How the fields of an answer land in the document.

    `needs` is the field of `write` that the strategy cannot do without and no other one uses. What that says is put
    before all paths of the answer or, if the strategy `gathers`, is the one place where the answer goes as a whole.
    """

    needs: str | None
    gathers: bool
    assign: Callable[[Landing], Assignment]

    def __new__(
        cls,
        value: str,
        assign: Callable[[Landing], Assignment],
        needs: str | None = None,
        gathers: bool = False,
    ) -> Self:
        """Make a member of its name in YAML and what is said about it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.needs, member.gathers, member.assign = needs, gathers, assign
        return member

    MERGE = "merge", _merge
    REPLACE = "replace", _replace
    APPEND = "append", _append, "array_field", True
    NESTED = "nested", _merge, "path"
