"""Running dead letters again and putting them aside: one, or all of an agent and a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Final

from agents_app.errors import Decision, MongoClawError
from executions_app import dead_letter_work as work
from executions_app import dead_letters
from executions_app.console.question import Choice, Question
from executions_app.console.viewer import Viewer
from executions_app.dead_letter_work import LEFT_MEANINGS, Report, Selection
from executions_app.dead_letters import NO_AGENT, DeadLetterNotFound, Filter, Kind
from executions_app.models import Execution
from executions_app.states import Status

MOST: Final = 1_000
"""Letters that one click moves, those that died first; the command line and the API know no such bound."""

TOO_LONG: Final = 7
"""Digits of a rate that nobody means."""

_MONEY: Final = (
    "Each runs with all its tries and by the current version of its agent. An answer that was paid for and still fits "
    "is used; otherwise the model is called, and that may cost money."
)
_ASIDE: Final = (
    "They leave this list and all counts. Nothing is erased: the admin shows what was discarded, "
    "and it can be brought back."
)


class RateInvalid(MongoClawError):
    """The rate must be a whole number of runs a second, 1 or more; leave it empty to run all at once."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "rate_invalid"


def ask_requeue(viewer: Viewer, choice: Choice) -> Question:
    """Ask before dead letters run again. Raises DeadLetterNotFound, and RateInvalid for an answer with a wrong one."""
    _rate(choice)
    number, subject = _meant(viewer, choice, runs_only=True)
    return Question(
        title=_title("Run", number, "again?"),
        subject=subject,
        consequence=_MONEY,
        button="Run again",
        asks="rate" if number > 1 else "",
        kept=_kept(choice),
    )


def ask_discard(viewer: Viewer, choice: Choice) -> Question:
    """Ask before dead letters are put aside. Raises DeadLetterNotFound."""
    number, subject = _meant(viewer, choice, runs_only=False)
    return Question(
        title=_title("Discard", number, "?"),
        subject=subject,
        consequence=_ASIDE,
        button="Discard",
        is_loss=True,
        asks="why",
        kept=_kept(choice),
    )


def requeue(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Let them run again; returns what became of them."""
    by, rate = user.get_username(), _rate(choice)
    return tuple(_report("Will run again", work.requeue(_selection(choice), by=by, rate=rate, now=now)))


def discard(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Put them aside; returns what became of them."""
    by, why = user.get_username(), choice["why"]
    return tuple(_report("Discarded", work.discard(_selection(choice), by=by, why=why, now=now)))


def _selection(choice: Choice) -> Selection:
    if choice["id"]:
        return Selection(ids=(choice["id"],))
    return Selection(wanted=_wanted(choice), limit=MOST)


def _wanted(choice: Choice) -> Filter:
    agent_id = choice["agent"]
    kind = Kind.MESSAGE if agent_id == NO_AGENT else Kind.RUN
    return Filter(agent_id=agent_id, reason=choice["reason"], kind=kind)


def _meant(viewer: Viewer, choice: Choice, *, runs_only: bool) -> tuple[int, str]:
    """Return how many letters are meant, up to the bound, and what they are. Raises DeadLetterNotFound."""
    if choice["id"]:
        return 1, _one(viewer, choice["id"])
    wanted = _wanted(choice)
    runs = dead_letters.runs(wanted).order_by()[:MOST].count()
    messages = 0 if runs_only else dead_letters.messages(wanted).order_by()[:MOST].count()
    sees = viewer.sees(wanted.agent_id) if wanted.agent_id else viewer.agents is None
    if not wanted.reason or not runs + messages or not sees:
        raise DeadLetterNotFound("There is no such dead letter any more.")
    return runs + messages, f"{wanted.agent_id or 'messages without a run'}: {wanted.reason}"


def _one(viewer: Viewer, id_: str) -> str:
    found = dead_letters.find(id_)
    letter = found.letter
    sees = viewer.sees(letter.agent_id) if isinstance(letter, Execution) else viewer.agents is None
    if found.id != id_ or letter.status != Status.FAILED or not sees:
        raise DeadLetterNotFound("It is no dead letter any more.")
    if isinstance(letter, Execution):
        return f"{letter.agent_id} on {letter.document_id}: {letter.reason}"
    return f"message {letter.task or letter.pk[:8]}: {letter.reason}"


def _kept(choice: Choice) -> dict[str, str]:
    names = ("id",) if choice["id"] else ("agent", "reason")
    return {name: choice[name] for name in names}


def _rate(choice: Choice) -> float | None:
    text = choice["rate"]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < TOO_LONG and int(text)):
        raise RateInvalid
    return float(text)


def _title(verb: str, number: int, rest: str) -> str:
    if number == 1:
        return f"{verb} this dead letter {rest}".replace(" ?", "?")
    least = "the first " if number == MOST else ""
    return f"{verb} {least}{number:,} dead letters {rest}".replace(" ?", "?")


def _report(done: str, report: Report) -> Iterator[tuple[str, str]]:
    if report.moved or not report.left:
        yield "success", f"{done}: {report.moved:,}."
    for cause, number in sorted(report.left.items()):
        yield "warning", f"Left as they were: {number:,} ({LEFT_MEANINGS[cause]})."
    if report.more:
        yield "warning", f"There are more: one click moves {MOST:,} at most."
