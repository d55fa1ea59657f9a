"""Whose round is next: backfills take turns, and none waits for another one's rate."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from watcher.backfill.job import Job, Span


@dataclass(frozen=True, slots=True)
class Turn:
    """A round to do: of a span, or, without one, the start of its backfill."""

    job: Job
    span: Span | None


class Schedule:
    """The backfills at work. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def jobs(self) -> dict[str, Job]:
        """Return the backfills at work by their ids."""
        with self._lock:
            return dict(self._jobs)

    def add(self, job: Job) -> None:
        """Take a backfill in."""
        with self._lock:
            self._jobs[job.backfill.id] = job

    def drop(self, backfill_id: str) -> None:
        """Let a backfill go; a round of it that is being done finds out by itself."""
        with self._lock:
            self._jobs.pop(backfill_id, None)

    def is_done(self, job: Job) -> bool:
        """Say whether nothing of a backfill is left to read."""
        with self._lock:
            return job.is_done

    def take(self, monotonic: float) -> Turn | None:
        """Hand out the next round, or None if there is none at present."""
        with self._lock:
            for job in sorted(self._jobs.values(), key=lambda job: job.served_at):
                if job.tools is None or job.resting_until > monotonic or job.pace.wait(monotonic) > 0:
                    continue
                turn = _turn(job)
                if turn is not None:
                    job.busy += 1
                    job.served_at = monotonic
                    return turn
        return None

    def give_back(self, turn: Turn, span: Span, *, recorded: int, monotonic: float) -> None:
        """Take a span back after its round."""
        with self._lock:
            turn.job.busy -= 1
            turn.job.pace.spend(recorded, monotonic)
            if turn.job.idle is not None:
                turn.job.idle.append(span)

    def begin(self, turn: Turn, spans: list[Span]) -> None:
        """Take in the spans of a backfill that has started."""
        with self._lock:
            turn.job.busy -= 1
            turn.job.idle = spans

    def rest(self, turn: Turn, *, until: float) -> None:
        """Take a turn back undone, and leave its backfill alone for a while."""
        with self._lock:
            turn.job.busy -= 1
            turn.job.resting_until = until
            if turn.span is not None and turn.job.idle is not None:
                turn.job.idle.append(turn.span)


def _turn(job: Job) -> Turn | None:
    if job.idle is None:
        return None if job.busy else Turn(job, None)
    for index, span in enumerate(job.idle):
        if not span.done:
            return Turn(job, job.idle.pop(index))
    return None
