"""What a request of the HTTP API says about dead letters: which are meant, at what rate, from where on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from rest_framework.request import Request

from agents_app.api_request import flag, whole
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import dead_letter_work as work
from executions_app import dead_letters
from executions_app.dead_letter_names import unknown_names
from executions_app.dead_letter_work import Selection
from executions_app.dead_letters import DeadLetterNotFound, Filter, Kind
from executions_app.models import Execution
from executions_app.moment import MomentInvalid, moment_of

MOST_SKIPPED: Final = 10_000
MOST_MOVED: Final = 5_000
"""Letters that one call moves; `more` in its answer says that there are others."""

TEXTS: Final = ("agent_id", "reason", "database", "collection", "text")
WAYS: Final = ("ids", "filter", "all")
FILTERS: Final = (*TEXTS, "kind", "since", "until")


def selection(request: Request, *also: str) -> tuple[Selection, Mapping[str, Any]]:
    """Read which letters a body means. Raises SpecInvalid: a body that says nothing does not mean everything."""
    data, visible = request.data, visible_agents(request.user)
    if not isinstance(data, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    problems = list(_problems(data, also))
    if problems:
        raise SpecInvalid(errors=problems)
    ids = tuple(data.get("ids") or ())
    meant = dead_letters.all_meant(ids)
    refuse_unseen(dict(zip(meant, ids, strict=True)), visible)
    wanted = filter_of(data.get("filter") or {}, "filter.", place="body", visible=visible)
    return Selection(ids=meant, wanted=wanted, limit=MOST_MOVED), data


def _problems(data: Mapping[str, Any], also: tuple[str, ...]) -> Iterator[SpecProblem]:
    ids, wanted = data.get("ids") or [], data.get("filter") or {}
    yield from (SpecProblem(str(name), "unknown field") for name in data if name not in {*WAYS, *also})
    if sum(bool(data.get(name)) for name in WAYS) != 1:
        yield SpecProblem("", f"say which: exactly one of {', '.join(WAYS)}")
    if not isinstance(ids, list) or len(ids) > MOST_MOVED or not all(map(_is_text, ids)):
        yield SpecProblem("ids", f"must be a list of at most {MOST_MOVED} ids")
    if not isinstance(data.get("all", True), bool):
        yield SpecProblem("all", "must be true")
    if not isinstance(wanted, Mapping):
        yield SpecProblem("filter", "must be an object")
    else:
        yield from _filter_problems(wanted)


def _filter_problems(wanted: Mapping[str, Any]) -> Iterator[SpecProblem]:
    """Say what is wrong with a body's filter: one that a script has left empty would mean every letter."""
    for name, value in wanted.items():
        if name not in FILTERS:
            yield SpecProblem(f"filter.{name}", "unknown field")
        elif value is not None and (not _is_text(value) or not value.strip()):
            yield SpecProblem(f"filter.{name}", "must be text that is not empty, without null characters")
    if wanted and all(value is None for value in wanted.values()):
        yield SpecProblem("filter", "names nothing; to mean every dead letter, send all: true")


def refuse_unseen(meant: Mapping[str, str], visible: frozenset[str] | None) -> None:
    """Say of a letter that whoever asks may not see that there is none. Raises DeadLetterNotFound.

    `meant` has what was asked for by the ids that it stands for: the whole id of such a letter is not told either.
    """
    if visible is not None:
        seen = Execution.objects.filter(id__in=list(meant), agent_id__in=visible).values_list("id", flat=True)
        for unseen in meant.keys() - set(seen):
            raise DeadLetterNotFound(f"Dead letter '{meant[unseen]}' not found")


def filter_of(
    given: Mapping[str, Any],
    prefix: str = "",
    *,
    place: str = "query",
    visible: frozenset[str] | None = None,
) -> Filter:
    """Read a filter of the agents that are visible. Raises SpecInvalid with every problem."""
    problems: list[SpecProblem] = []
    kind = given.get("kind") or None
    if kind is not None and kind not in list(Kind):
        problems.append(SpecProblem(f"{prefix}kind", f"must be one of {', '.join(Kind)}"))
    moments: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        try:
            moments[name] = _moment(given.get(name))
        except MomentInvalid as error:
            problems.append(SpecProblem(f"{prefix}{name}", str(error)))
    texts = {name: str(given.get(name) or "") for name in TEXTS}
    wrong = (name for name, text in texts.items() if not _is_text(text))
    problems += [SpecProblem(f"{prefix}{name}", "must be text without null characters") for name in wrong]
    if problems:
        raise SpecInvalid(errors=problems, place=place)
    wanted = Filter(kind=None if kind is None else Kind(kind), **moments, **texts)  # type: ignore[arg-type]
    wanted = replace(wanted, visible=visible)
    if problems := [SpecProblem(f"{prefix}{one.path}", one.message) for one in unknown_names(wanted)]:
        raise SpecInvalid(errors=problems, place=place)
    return replace(wanted, archived=flag(given, "archived", default=False))


def _is_text(value: object) -> TypeGuard[str]:
    """Whether PostgreSQL can look for it."""
    return isinstance(value, str) and "\0" not in value


def _moment(text: object) -> datetime | None:
    return moment_of(str(text), now=datetime.now(UTC)) if text else None


def rate(value: object) -> float | None:
    """Read how many letters a second may run again. Raises SpecInvalid."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not work.SLOWEST <= value < math.inf:
        told = f"must be a number of letters a second, {work.SLOWEST:g} or more"
        raise SpecInvalid(errors=[SpecProblem("rate", told)])
    return float(value)


def skipped(query: Mapping[str, str]) -> int:
    """Read how many to leave out. Raises SpecInvalid: the same page again and again would look like more letters."""
    skip = max(0, whole(query, "skip", 0))
    if skip > MOST_SKIPPED:
        told = f"must be at most {MOST_SKIPPED:,}; narrow the list by `until`, or take the export"
        raise SpecInvalid(errors=[SpecProblem("skip", told)], place="query")
    return skip
