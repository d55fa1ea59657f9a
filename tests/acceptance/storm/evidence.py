"""What the judge is given: documents, oplog, ledger, the model's own account and leases, as they are at rest."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.acceptance.conftest import TERMINAL, Fleet
from tests.acceptance.storm.agents import RULES, Document, Rule
from tests.acceptance.storm.witness import History, pack

VALID: Final = "valid"
FORGOTTEN_AFTER: Final = timedelta(hours=1, minutes=1)
"""The row of a silent process is taken away after an hour."""

_ROWS: Final = """
SELECT id, agent_id, document_id, event_time, sequence, operation, status, claim, attempts, deferrals,
       completed_at, duration_ms, error_type, worker
  FROM executions_app_execution
"""
_ATTEMPTS: Final = (
    "SELECT execution_id, claim, input_hash, prompt, answer, outcome FROM executions_app_attempt"
)
_SILENT: Final = "SELECT role, pid, beat_at FROM executions_app_workerprocess"
_UNFINISHED: Final = f"SELECT count(*) FROM executions_app_execution WHERE status NOT IN {TERMINAL}"
_LINE: Final = re.compile(r"^\[[a-z]+\] .*$", re.MULTILINE)
_DOCUMENT: Final = re.compile(r"^\[(?P<agent>[a-z]+)\] (?:[a-z]+: )?(?P<key>\S+) in its state")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger."""

    id: str
    agent: str
    key: str
    time: str
    sequence: int
    operation: str
    status: str
    claim: int
    attempts: int
    deferrals: int
    completed_at: Any
    duration: float | None
    """Set by a run that ended its row; not where another one took the row's work over."""
    error: str
    worker: str

    @property
    def is_at_its_end(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in TERMINAL

    @property
    def lost_claims(self) -> int:
        """How many of its claims ended by no settlement and no postponement, so by the death of their worker."""
        return max(0, self.claim - self.attempts - self.deferrals - (self.duration is not None))


@dataclass(frozen=True, slots=True)
class Attempt:
    """A model call on record. `question` is the line of its prompt that names agent and document."""

    execution: str
    claim: int
    input_hash: str
    question: str
    answer: Any
    outcome: str


@dataclass(frozen=True, slots=True)
class Call:
    """A model call as the model saw it. Times are in seconds since the epoch."""

    question: str
    started: float
    ended: float | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Held:
    """A document of a watched collection, and what its agent has left for it."""

    document: Document
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it. `held` is by agent."""

    held: Mapping[str, Sequence[Held]]
    history: History
    rows: Sequence[Row]
    attempts: Sequence[Attempt]
    calls: Sequence[Call]
    acknowledged: frozenset[str]
    """Texts that MongoDB told a writer it had stored."""
    ended: Sequence[str] = ()
    """How processes ended that nobody had struck."""
    nobodys: Sequence[str] = ()
    """What is held by processes that are gone, in words."""
    unmoved: Sequence[str] = ()
    """Databases whose position does not reach their last event."""


def question_of(prompt: str) -> str:
    """The line of a prompt that the storm wrote, whatever stands around it; empty if there is none."""
    found = _LINE.search(prompt)
    return found[0] if found else ""


def subject_of(question: str) -> tuple[str, str]:
    """The agent and the document that a question is about."""
    found = _DOCUMENT.match(question)
    return (found["agent"], found["key"]) if found else ("", question)


def read_rows(fleet: Fleet) -> list[Row]:
    """Read all rows of the ledger."""
    return [Row(*found) for found in fleet.rows(_ROWS)]


def read_attempts(fleet: Fleet) -> list[Attempt]:
    """Read all calls on record."""
    return [
        Attempt(execution, claim, input_hash, question_of(prompt), _loaded(answer), outcome)
        for execution, claim, input_hash, prompt, answer, outcome in fleet.rows(_ATTEMPTS)
    ]


def _loaded(answer: Any) -> Any:
    return json.loads(answer) if isinstance(answer, str) else answer


def read_held(fleet: Fleet) -> dict[str, list[Held]]:
    """Read what stands in the collections."""
    return {rule.agent: _held(fleet, rule) for rule in RULES}


def _held(fleet: Fleet, rule: Rule) -> list[Held]:
    place = fleet.mongo[rule.database]
    documents = list(place[rule.collection].find())
    if rule.elsewhere is None:
        return [Held(document, document.get(rule.target)) for document in documents]
    answers = {found["_id"]: found.get(rule.target) for found in place[rule.elsewhere].find()}
    return [Held(document, answers.get(document["_id"])) for document in documents]


def read_nobodys(fleet: Fleet) -> list[str]:
    """Name the leases that a process which is gone holds, and the rows of processes silent for too long."""
    alive = {child.process.pid for child in fleet.children.values() if child.is_alive()}
    home = fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]
    held = home.leases.find({"holder": {"$ne": None}, "$expr": {"$gt": ["$expires_at", "$$NOW"]}})
    found = [f"the lease {lease['_id']} of pid {lease['pid']}" for lease in held if lease["pid"] not in alive]
    oldest = datetime.now(UTC) - FORGOTTEN_AFTER
    for role, pid, beat_at in fleet.rows(_SILENT):
        beat = datetime.fromisoformat(beat_at) if isinstance(beat_at, str) else beat_at
        if beat.replace(tzinfo=beat.tzinfo or UTC) < oldest:
            found.append(f"the row of the {role} with pid {pid}, silent since {beat}")
    return found


def unmoved(fleet: Fleet, history: History) -> list[str]:
    """Name the watched databases whose stream is not behind their last event, in all its parts."""
    home = fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]
    late = {change.namespace.partition(".")[0]: change.time for change in history.changes if change.key}
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for position in home.resume_tokens.find():
        found[position["database"]].append((position["layout"], pack(position["cluster_time"])))
    return [database for database, time in late.items() if _reached(found[database]) < time]


def _reached(positions: list[tuple[int, str]]) -> str:
    """How far all parts of the present layout have come."""
    layout = max((layout for layout, _ in positions), default=0)
    return min((time for of, time in positions if of == layout), default="")


def answers_of(attempts: Iterable[Attempt]) -> dict[str, list[Any]]:
    """The valid answers that were given, by question."""
    answers: defaultdict[str, list[Any]] = defaultdict(list)
    for attempt in attempts:
        if attempt.outcome == VALID:
            answers[attempt.question].append(attempt.answer)
    return answers
