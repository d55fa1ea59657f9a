"""Dead letters: how many, of which kinds, and the newest, with what can be done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from executions_app import dead_letters
from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import DISCARD, REQUEUE, SEE_RUNS, Viewer
from executions_app.dead_letters import OTHERS, DeadLetter, Filter, Kind
from executions_app.models import Execution, StrayMessage
from executions_app.states import Status, reason_meaning

SHOWN: Final = 6
KINDS: Final = 6
COUNTED: Final = 10_000
"""Dead letters that are counted; their kinds are told as long as there are no more."""

# Written out: the ORM's would ask for a column, and so look at every row, which takes twenty times as long.
_COUNT_SQL: Final = """
    SELECT COUNT(*) FROM (SELECT 1 FROM executions_app_execution WHERE status = 'failed' LIMIT %s) AS dead
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterLine:
    """A dead letter. A message has no agent and cannot run."""

    id: str
    is_run: bool
    agent_id: str
    what: str
    where: str
    reason: str
    meaning: str
    error: str
    died_at: datetime


@dataclass(frozen=True, slots=True)
class KindLine:
    """How many dead letters an agent has for a reason. Those of several kinds together have no agent to name."""

    agent_id: str
    reason: str
    number: int

    @property
    def can_be_chosen(self) -> bool:
        """Whether this is one kind, and not all the rare ones."""
        return self.reason != OTHERS

    @property
    def are_runs(self) -> bool:
        """Whether they can run again."""
        return self.can_be_chosen and self.agent_id != dead_letters.NO_AGENT


@dataclass(frozen=True, slots=True)
class Letters:
    """The number (`at_least` if nobody counted on), the commonest kinds, and the newest letters."""

    number: int
    at_least: bool
    kinds: tuple[KindLine, ...]
    more_kinds: int
    lines: tuple[LetterLine, ...]
    may_requeue: bool
    may_discard: bool


def look(asked: Asked) -> Letters:
    """Read what is dead now; who is bound to agents sees those of these agents."""
    viewer = asked.viewer
    number = count(viewer)
    kinds = _kinds(viewer) if number < COUNTED else ()
    return Letters(
        number,
        number >= COUNTED,
        kinds[:KINDS],
        max(0, len(kinds) - KINDS),
        tuple(_line(letter) for letter in _newest(viewer)),
        viewer.may(REQUEUE),
        viewer.may(DISCARD),
    )


def count(viewer: Viewer) -> int:
    """Count dead letters in sight, up to the bound."""
    if viewer.agents is not None:
        runs = Execution.objects.filter(status=Status.FAILED, **viewer.narrowed("agent_id"))
        return runs.order_by()[:COUNTED].count()
    messages = StrayMessage.objects.filter(status=Status.FAILED).order_by()[:COUNTED].count()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_SQL, [COUNTED])
        return min(int(cursor.fetchone()[0]) + messages, COUNTED)


def _kinds(viewer: Viewer) -> tuple[KindLine, ...]:
    found = dead_letters.counts()
    return tuple(
        KindLine(agent, reason, number) for (agent, reason), number in found.items() if viewer.sees(agent)
    )


def _newest(viewer: Viewer) -> list[DeadLetter]:
    if viewer.agents is None:
        return dead_letters.newest(Filter(), limit=SHOWN)
    found = [
        letter
        for agent in sorted(viewer.agents)
        for letter in dead_letters.newest(Filter(agent_id=agent, kind=Kind.RUN), limit=SHOWN)
    ]
    return sorted(found, key=lambda letter: letter.died_at, reverse=True)[:SHOWN]


def _line(found: DeadLetter) -> LetterLine:
    letter = found.letter
    if isinstance(letter, Execution):
        agent_id, what, where = letter.agent_id, letter.document_id, f"{letter.database}.{letter.collection}"
    else:
        agent_id, what, where = dead_letters.NO_AGENT, letter.task or letter.message_id, letter.queue
    return LetterLine(
        id=found.id,
        is_run=found.kind is Kind.RUN,
        agent_id=agent_id,
        what=what or found.id[:8],
        where=where,
        reason=letter.reason,
        meaning=reason_meaning(letter.reason),
        error=letter.error,
        died_at=found.died_at,
    )


PANEL: Final = Panel(name="letters", title="Dead letters", needs=SEE_RUNS, look=look, seconds=4, wide=True)
