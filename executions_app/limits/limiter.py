"""The limiter: each question one atomic script on Redis's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, ClassVar, Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from agents_app.errors import Decision, MongoClawError
from executions_app.limits.absence import Absence
from executions_app.limits.lessons import Lesson
from executions_app.limits.pauses import Pause, Pauses, read_pauses
from executions_app.limits.rules import Rules
from executions_app.limits.verdict import Admitted, Refused, Spent
from executions_app.states import known_reason

log = structlog.get_logger(__name__)

PREFIX: Final = "mongoclaw:limits:"
PAUSES: Final = PREFIX + "pauses"
PATIENCE_SECONDS: Final = 2.0

OPENING_FAILURES: Final = 5
FIRST_OPENING_MS: Final = 2_000
LONGEST_OPENING_MS: Final = 60_000
OBJECTION_MS: Final = 500
"""How long after the first failure others have to say that they succeed, before a circuit opens."""


class LimiterUnavailable(MongoClawError):
    """Redis, which keeps the limits, does not answer."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "limiter_unavailable"


@dataclass(frozen=True, slots=True)
class Budget:
    """An agent's error budget: so many failures in so many seconds put it into quarantine for so many."""

    failures: int
    window_seconds: float
    quarantine_seconds: float


def connect(url: str, *, patience: float = PATIENCE_SECONDS) -> Redis:
    """Open a client for the limiter's questions: a server that says nothing for `patience` seconds is away."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        health_check_interval=30,
    )


class Limiter:
    """Safe to share between threads. Every method raises LimiterUnavailable if Redis does not answer.

    A lease is `lease_seconds` long and belongs to a run; a worker that lives renews it.
    """

    def __init__(self, redis: Redis, *, lease_seconds: float, monotonic: Callable[[], float]) -> None:
        self._redis = redis
        self._lease_ms = round(lease_seconds * 1000)
        self._monotonic = monotonic
        self._absence = Absence(monotonic)
        self._admit, self._release, self._renew, self._report = (
            redis.register_script(files(__package__).joinpath(f"{name}.lua").read_text())
            for name in ("admit", "release", "renew", "report")
        )

    def admit(self, rules: Rules, run: str, *, tokens: int = 0, nanousd: int = 0) -> Admitted | Refused:
        """Let one call of a run begin, if all limits have room for it; `tokens` and `nanousd` are reserved for it."""
        reserved = Spent(
            tokens=tokens if rules.tokens_per_hour else 0, nanousd=nanousd if rules.nanousd_per_hour else 0
        )
        with self._answering():
            room, reason, wait_ms, minute, probes = self._admit(
                keys=_keys(rules), args=self._question(rules, run, reserved, "take")
            )
        if not room:
            return Refused(known_reason(reason), wait_ms / 1000)
        return Admitted(run, reserved, minute, bool(probes))

    def rooms(self, asked: Sequence[Rules]) -> dict[str, int]:
        """Tell how many calls of each agent may begin now."""
        return {agent: int(answer[0]) for agent, answer in self._looked(asked).items()}

    def _looked(self, asked: Sequence[Rules]) -> dict[str, Sequence[Any]]:
        with self._answering():
            pipeline = self._redis.pipeline(transaction=False)
            for rules in asked:
                self._admit(
                    keys=_keys(rules), args=self._question(rules, "", rules.answer, "look"), client=pipeline
                )
            answers = pipeline.execute()
        return {rules.agent_id: answer for rules, answer in zip(asked, answers, strict=True)}

    def refusals(self, asked: Sequence[Rules]) -> dict[str, Refused]:
        """Tell which agents' calls could not begin now, and why."""
        return {
            agent: Refused(known_reason(reason), int(wait_ms) / 1000)
            for agent, (room, reason, wait_ms, *_) in self._looked(asked).items()
            if not room
        }

    def release(self, rules: Rules, admitted: Admitted, spent: Spent) -> None:
        """Give a run's place back and count what it has used instead of what was reserved."""
        arguments: list[Any] = [
            admitted.run,
            max(0, spent.calls - 1),
            rules.per_minute,
            admitted.minute,
            spent.tokens - admitted.reserved.tokens if rules.tokens_per_hour else 0,
            spent.nanousd - admitted.reserved.nanousd if rules.nanousd_per_hour else 0,
        ]
        with self._answering():
            self._release(keys=_keys(rules)[1:], args=arguments)

    def renew(self, leases: Sequence[tuple[Rules, str]]) -> None:
        """Prolong the leases of runs that go on, and of those that try whether a provider is back.

        Asks even a server that is left alone: nobody waits for the answer, and a lease that runs out is lost.
        """
        keys = [key for rules, _ in leases for key in _keys(rules)[1:3]]
        with self._answering(insisting=True):
            self._renew(keys=keys, args=[self._lease_ms, *(run for _, run in leases)])

    def report(self, lesson: Lesson) -> Pause | None:
        """Report what a call has taught; returns the pause that begins with it, its end counted from now."""
        numbers: dict[str, list[Any]] = {
            "fine": [],
            "failed": [OPENING_FAILURES, FIRST_OPENING_MS, LONGEST_OPENING_MS, OBJECTION_MS],
            "pause": [lesson.reason, lesson.asked_ms, lesson.first_ms, lesson.longest_ms],
        }
        return self._reported(lesson.what, lesson.name, numbers[lesson.what])

    def count_failure(self, rules: Rules, budget: Budget) -> Pause | None:
        """Count a failed run against its agent's error budget; returns the quarantine if it begins now."""
        limits = (budget.window_seconds * 1000, budget.quarantine_seconds * 1000)
        return self._reported("count", rules.agent, [budget.failures, *map(round, limits)])

    def pauses(self, *, insisting: bool = False) -> Pauses:
        """Read what holds calls up. Whoever insists asks even a server that is left alone, and can wait."""
        with self._answering(insisting=insisting):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            pipeline.hgetall(PAUSES)
            (seconds, micros), entries = pipeline.execute()
        return Pauses(read_pauses(entries), seconds * 1000 + micros // 1000, self._monotonic())

    def lift(self, name: str) -> bool:
        """End a pause, as an operator who knows better; False if there was none."""
        with self._answering():
            pipeline = self._redis.pipeline()
            pipeline.hdel(PAUSES, name)
            pipeline.delete(_record(name))
            found, _ = pipeline.execute()
        return bool(found)

    def _reported(self, what: str, name: str, numbers: Iterable[Any]) -> Pause | None:
        with self._answering():
            reason, milliseconds = self._report(keys=[PAUSES, _record(name)], args=[what, name, *numbers])
        return Pause(reason, int(milliseconds)) if reason else None

    @contextmanager
    def _answering(self, *, insisting: bool = False) -> Iterator[None]:
        """Map the client's errors; a server that did not answer is left alone for a while, so that nobody queues."""
        if self._absence.is_on and not insisting:
            raise LimiterUnavailable
        try:
            yield
        except RedisError as error:
            seconds = self._absence.note(silent=isinstance(error, RedisTimeout))
            if seconds is not None:
                log.warning("limiter.unavailable", error=type(error).__name__, seconds=seconds)
            raise LimiterUnavailable(error=type(error).__name__) from error
        self._absence.end()

    def _question(self, rules: Rules, run: str, most: Spent, mode: str) -> list[Any]:
        at_a_time = [rules.at_once, rules.per_minute, rules.burst]
        budgets = [rules.tokens_per_hour, most.tokens, rules.nanousd_per_hour, most.nanousd]
        return [run, self._lease_ms, *at_a_time, *budgets, mode, *rules.names]


def _keys(rules: Rules) -> list[str]:
    own = [f"{PREFIX}{kind}:{rules.agent_id}" for kind in ("leases", "rate", "tokens", "cost")]
    return [PAUSES, _record(rules.circuit), *own]


def _record(name: str) -> str:
    return f"{PREFIX}record:{name}"
