"""The threads that do rounds of backfills."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import Error as DatabaseError
from django.db import connection
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from executions_app import backfill_transitions
from executions_app.backfill_transitions import BackfillStateWrong, NewRange
from executions_app.database import drop_broken_connection
from executions_app.fence import Fenced, Term
from watcher.backfill.job import after, look, spans_of
from watcher.backfill.key import to_text
from watcher.backfill.ranges import divide, how_many
from watcher.backfill.recording import NotRunning, record
from watcher.backfill.schedule import Schedule, Turn
from watcher.matching.search import FilterUnusable
from watcher.observing import metrics

log = structlog.get_logger(__name__)

Document = dict[str, Any]

THREADS: Final = 2
"""One reads or compares while another writes: more only wait for the ledger."""

IDLE_SECONDS: Final = 0.1
REST_SECONDS: Final = 1.0
_DENIED: Final = 13
_RECORDED: Final = metrics.BACKFILL_DOCUMENTS.labels(outcome="recorded")
_CURRENT: Final = metrics.BACKFILL_DOCUMENTS.labels(outcome="current")
_KNOWN: Final = metrics.BACKFILL_DOCUMENTS.labels(outcome="known")


class Crew:
    """A few threads that work through a schedule under one term. What ends a thread is in `failure`."""

    def __init__(
        self,
        client: MongoClient[Document],
        schedule: Schedule,
        term: Term,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._schedule = schedule
        self._term = term
        self._now = now
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self.failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, name=f"backfill-{number}", daemon=True)
            for number in range(THREADS)
        ]

    def start(self) -> None:
        """Let the threads begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Ask the threads to end and give them so long. One that ends later does no harm: its term is over."""
        self._stopping.set()
        deadline = self._monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._monotonic()))

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                turn = self._schedule.take(self._monotonic())
                if turn is None:
                    self._stopping.wait(IDLE_SECONDS)
                else:
                    self._do(turn)
        except Exception as error:  # noqa: BLE001  # whatever ends it, the keeper must learn of it
            self.failure = error
        finally:
            connection.close()

    def _do(self, turn: Turn) -> None:
        """Do a round. What a server refuses for the moment is tried again; what is wrong for good is put on record."""
        try:
            reason = self._never(turn)
            if reason:
                self._fail(turn.job.backfill.id, reason)
        except (NotRunning, BackfillStateWrong):
            self._schedule.drop(turn.job.backfill.id)
        except (PyMongoError, DatabaseError) as error:
            self._rest(turn, error)

    def _never(self, turn: Turn) -> str:
        """Do a round; returns why it can never be done, or nothing.

        Raises what passes, Fenced, NotRunning and BackfillStateWrong. Anything else ends this backfill alone: it would
        end the watcher, and each one after it.
        """
        try:
            self._begin(turn) if turn.span is None else self._round(turn)
        except FilterUnusable as error:
            return f"MongoDB cannot evaluate the filter: {error}"
        except OperationFailure as error:
            if error.code != _DENIED:
                raise
            return str((error.details or {}).get("errmsg") or error)
        except (NotRunning, BackfillStateWrong, Fenced, PyMongoError, DatabaseError):
            raise
        except Exception as error:
            # The name alone in the ledger: the text may quote the document.
            log.exception("backfill.broken", backfill=turn.job.backfill.id)
            return f"{type(error).__name__} came up, which no second try mends; the watcher's log has it"
        return ""

    def _begin(self, turn: Turn) -> None:
        """Make the ranges. Nothing is on record before all of them are."""
        job, tools = turn.job, turn.job.tools
        if tools is None:
            raise NotRunning
        tools.selection.check()
        namespace = database, name = tools.agent.spec.watch_namespace
        collection = self._client.get_database(database).get_collection(name)
        estimate = collection.estimated_document_count()
        bounds = divide(collection, how_many(estimate, limited=job.backfill.limit is not None))
        ranges = [NewRange(to_text(bound.lower), to_text(bound.upper)) for bound in bounds]
        backfill_transitions.start(
            job.backfill,
            ranges,
            namespace=namespace,
            estimate=estimate,
            now=self._now(),
            term=self._term,
        )
        self._schedule.begin(turn, spans_of(job.backfill.id))

    def _round(self, turn: Turn) -> None:
        job, tools, span = turn.job, turn.job.tools, turn.span
        if tools is None or span is None:
            raise NotRunning
        round_ = look(job, tools, span)
        recorded = record(round_, tools.agent, now=self._now(), term=self._term)
        _RECORDED.inc(recorded)
        _CURRENT.inc(round_.current)
        _KNOWN.inc(len(round_.keys) - recorded)
        self._schedule.give_back(
            turn, after(span, round_, recorded), recorded=recorded, monotonic=self._monotonic()
        )

    def _fail(self, backfill_id: str, reason: str) -> None:
        backfill_transitions.fail(backfill_id, reason, now=self._now(), term=self._term)
        self._schedule.drop(backfill_id)

    def _rest(self, turn: Turn, error: Exception) -> None:
        log.warning(
            "backfill.waiting",
            backfill=turn.job.backfill.id,
            error=type(error).__name__,
            code=getattr(error, "code", None),
        )
        drop_broken_connection()
        self._schedule.rest(turn, until=self._monotonic() + REST_SECONDS)
