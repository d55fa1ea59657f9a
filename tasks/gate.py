"""The way to the model: what a worker process knows of limits and pauses, and what it tells of them.

A call of an agent without limits costs no question while nothing is wrong: pauses are looked at by a thread of
their own, a few times a second, and kept in memory. Where Redis does not answer, agents with limits wait and all
others go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from agents_app.errors import MongoClawError
from executions_app.limits import (
    Admitted,
    Lesson,
    Limiter,
    LimiterUnavailable,
    Pause,
    Pauses,
    Refused,
    Rules,
    Spent,
    lessons_of,
)
from executions_app.limits.absence import SHORTEST_SECONDS
from executions_app.limits.lessons import is_answer
from executions_app.limits.limiter import Budget
from executions_app.metrics.names import agent_label
from executions_app.states import Reason
from tasks.metrics import CIRCUIT_FAILURES, QUARANTINES

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.25
RENEWALS_PER_LEASE: Final = 4


class Gate:
    """Safe to share between threads. `start` begins the looking and the renewing, `stop` ends it."""

    def __init__(
        self, limiter: Limiter, budget: Budget, *, lease_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._limiter = limiter
        self._budget = budget
        self._renew_seconds = lease_seconds / RENEWALS_PER_LEASE
        self._monotonic = monotonic
        self._pauses = Pauses()
        self._leases: dict[str, tuple[Rules, Admitted]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="gate", daemon=True)

    def start(self) -> None:
        """Look at the pauses, and go on looking."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; leases that are held run out."""
        self._stop.set()
        self._thread.join(LOOK_SECONDS * 4)

    def held_up(self, rules: Rules) -> Refused | None:
        """Say from memory whether calls of this agent are held up."""
        return self._pauses.holding(rules.names, monotonic=self._monotonic())

    def enter(self, rules: Rules, run: str, *, most: Spent) -> Admitted | Refused:
        """Let a call begin that takes no more than `most`. Whoever is admitted must `leave`."""
        refused = self.held_up(rules)
        if refused is not None:
            return refused
        if not rules.is_bounded and not self._pauses.known(rules.names):
            return Admitted(run)
        try:
            answer = self._limiter.admit(rules, run, tokens=most.tokens, nanousd=most.nanousd)
        except LimiterUnavailable:
            waits = Refused(Reason.LIMITER_UNAVAILABLE, SHORTEST_SECONDS)
            return waits if rules.is_bounded else Admitted(run)
        if isinstance(answer, Admitted) and (rules.is_bounded or answer.probes):
            self._leases[run] = (rules, answer)
        return answer

    def leave(self, rules: Rules, admitted: Admitted, spent: Spent) -> None:
        """Give the place back, and count what was used."""
        if self._leases.pop(admitted.run, None) is None:
            return
        _quietly(lambda: self._limiter.release(rules, admitted, spent))

    def heard(self, rules: Rules, error: MongoClawError | None) -> None:
        """Tell others what a call has taught about its provider."""
        lessons = () if error is None else lessons_of(error, rules)
        for lesson in lessons:
            if lesson.what == "failed":
                CIRCUIT_FAILURES.labels(lesson.name.removeprefix("circuit:")).inc()
            self._tell(lesson.name, lambda told=lesson: self._limiter.report(told))  # type: ignore[misc]
        if error is None or (not lessons and is_answer(error)):
            for name in self._pauses.known(rules.names):
                self._tell(name, lambda told=name: self._limiter.report(Lesson("fine", told)))  # type: ignore[misc]

    def failed(self, rules: Rules) -> None:
        """Count a failed run against its agent's error budget."""
        if not self._budget.quarantine_seconds:
            return
        self._tell(rules.agent, lambda: self._limiter.count_failure(rules, self._budget))

    def look(self) -> None:
        """Look at the pauses now, even where Redis is left alone; without an answer the last look stands."""

        def refresh() -> None:
            self._pauses = self._limiter.pauses(insisting=True)

        _quietly(refresh)

    def _tell(self, name: str, report: Callable[[], Pause | None]) -> None:
        def told() -> None:
            pause = report()
            if pause is not None and pause.reason == Reason.QUARANTINED:
                QUARANTINES.labels(agent_label(name.removeprefix("agent:"))).inc()
            if pause is not None:
                log.warning("calls.paused", name=name, reason=pause.reason, seconds=pause.until_ms / 1000)
            self._pauses = self._limiter.pauses()

        _quietly(told)

    def _keep(self) -> None:
        renew_at = self._monotonic() + self._renew_seconds
        while not self._stop.wait(LOOK_SECONDS):
            # Before the look, which waits where Redis is silent: a lease that runs out is lost.
            if self._monotonic() >= renew_at:
                renew_at = self._monotonic() + self._renew_seconds
                self._renew()
            self.look()

    def _renew(self) -> None:
        held = list(self._leases.items())
        leases = [(rules, run) for run, (rules, admitted) in held if rules.at_once or admitted.probes]
        if leases:
            _quietly(lambda: self._limiter.renew(leases))


def _quietly(do: Callable[[], None]) -> None:
    """Do what nobody has to wait for: without an answer it is left undone."""
    with suppress(LimiterUnavailable):
        do()
