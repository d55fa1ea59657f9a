"""Dead letters for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

from executions_app import ledger, strays, transitions
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from executions_app.strays import Stray
from tests.integration.executions_app.conftest import NOW, MakeEvent

_seconds = count(1)


def dead_run(
    make_event: MakeEvent,
    key: object = "doc",
    *,
    reason: str = "write_refused",
    error: str = "no room",
    at: datetime | None = None,
    **changes: object,
) -> str:
    """Put an event on record and let its run fail for good; each dies a second after the one before."""
    [id_] = ledger.record([make_event(key, **changes)], room={"triage": 10_000}, now=NOW)
    run = transitions.claim(id_, worker="w", now=NOW)
    assert run is not None
    end = Settlement(status=Status.FAILED, reason=reason, error_type=reason, error=error)
    transitions.settle(run, end, now=at or NOW + timedelta(seconds=next(_seconds)))
    return id_


def dead_runs(make_event: MakeEvent, number: int, **changes: object) -> list[str]:
    """Several, each of a document of its own."""
    return [dead_run(make_event, f"doc-{n}", **changes) for n in range(number)]  # type: ignore[arg-type]


def stray(body: bytes = b"hello", *, task: str = "billing.charge", at: datetime = NOW) -> str:
    """Put a message on record."""
    return strays.record(Stray(reason=Reason.UNKNOWN_TASK, body=body, task=task), host="box", now=at)


def ids_of(letters: Sequence[object]) -> list[str]:
    """The ids of letters."""
    return [str(letter.id) for letter in letters]  # type: ignore[attr-defined]
