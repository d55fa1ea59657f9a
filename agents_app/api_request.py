"""Reading a request: its query, its body, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rest_framework.request import Request

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.plain import text_problem

MOST: Final = 1_000
USUAL: Final = 100
MOST_SKIPPED: Final = 10_000
LONGEST_NAME: Final = 150

_FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "1", "yes", "on", "y", "t"), True),
    **dict.fromkeys(("false", "0", "no", "off", "n", "f"), False),
}


class Slice(NamedTuple):
    """Which part of a list is asked for."""

    skip: int
    limit: int

    @property
    def end(self) -> int:
        """The place behind the last one."""
        return self.skip + self.limit


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the query. Raises SpecInvalid with its name if it is none."""
    text = query.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise wrong_query(name, "must be a whole number") from None


def flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return a yes or no of the query. Raises SpecInvalid with its name if it is neither."""
    given = query.get(name)
    if given is None:
        return default
    found = _FLAGS.get(given.strip().lower())
    if found is None:
        raise wrong_query(name, "must be true or false")
    return found


def text(query: Mapping[str, str], name: str) -> str:
    """Return a text of the query, or nothing. Raises SpecInvalid if no database could look for it."""
    found = query.get(name) or ""
    problem = text_problem(found)
    if problem is not None:
        raise wrong_query(name, problem)
    return found


def slice_of(query: Mapping[str, str]) -> Slice:
    """Return which part is asked for; a limit is brought into its bounds, as the contract has it.

    Raises SpecInvalid: the same page again and again would look like more of them.
    """
    skip = max(0, whole(query, "skip", 0))
    if skip > MOST_SKIPPED:
        raise wrong_query("skip", f"must be at most {MOST_SKIPPED:,}; narrow the list instead")
    return Slice(skip, min(MOST, max(1, whole(query, "limit", USUAL))))


def body_of(request: Request) -> Mapping[str, Any]:
    """Return the body. Raises SpecInvalid if it is no object."""
    if not isinstance(request.data, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    return request.data


def wrong_query(name: str, message: str) -> SpecInvalid:
    """Return the error of a query, for the caller to raise."""
    return SpecInvalid(errors=[SpecProblem(name, message)], place="query")


def somebody(request: Request) -> str:
    """Name the caller as records do, which have room for so much."""
    user: Any = request.user
    return f"api:{user.get_username()}"[:LONGEST_NAME]
