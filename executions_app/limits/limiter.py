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

from agents_app.errors import Decision, MongoClawError
from executions_app.limits.lessons import Lesson
from executions_app.limits.pauses import Pause, Pauses, read_pauses
from executions_app.limits.rules import Rules
from executions_app.limits.verdict import Admitted, Refused, Spent
from executions_app.states import Reason

log = structlog.get_logger(__name__)

PREFIX: Final = "mongoclaw:limits:"
PAUSES: Final = PREFIX + "pauses"
PATIENCE_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 2.0

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


def connect(url: str) -> Redis:
    """Open a client for the limiter's questions: a server that says nothing for long is away."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
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
        self._away_until = float("-inf")
        self._admit, self._release, self._renew, self._report = (
            redis.register_script(files(__package__).joinpath(f"{name}.lua").read_text())
            for name in ("admit", "release", "renew", "report")
        )

    def admit(self, rules: Rules, run: str, *, tokens: int) -> Admitted | Refused:
        """Let one call of a run begin, if all limits have room for it. `tokens` are reserved for it."""
        with self._answering():
            room, reason, wait_ms = self._admit(
                keys=_keys(rules), args=self._question(rules, run, tokens, "take")
            )
        if not room:
            return Refused(Reason(reason), wait_ms / 1000)
        return Admitted(run, tokens if rules.tokens_per_hour else 0)

    def rooms(self, asked: Sequence[Rules]) -> dict[str, int]:
        """Tell how many calls of each agent may begin now."""
        return {agent: int(answer[0]) for agent, answer in self._looked(asked).items()}

    def _looked(self, asked: Sequence[Rules]) -> dict[str, Sequence[Any]]:
        with self._answering():
            pipeline = self._redis.pipeline(transaction=False)
            for rules in asked:
                self._admit(keys=_keys(rules), args=self._question(rules, "", 0, "look"), client=pipeline)
            answers = pipeline.execute()
        return {rules.agent_id: answer for rules, answer in zip(asked, answers, strict=True)}

    def refusals(self, asked: Sequence[Rules]) -> dict[str, Refused]:
        """Tell which agents' calls could not begin now, and why."""
        return {
            agent: Refused(Reason(reason), int(wait_ms) / 1000)
            for agent, (room, reason, wait_ms) in self._looked(asked).items()
            if not room
        }

    def release(self, rules: Rules, admitted: Admitted, spent: Spent) -> None:
        """Give a run's place back and count what it has used."""
        arguments: list[Any] = [
            admitted.run,
            max(0, spent.calls - 1),
            rules.per_minute,
            spent.tokens - admitted.reserved,
            spent.nanousd,
            int(bool(rules.tokens_per_hour)),
            int(bool(rules.nanousd_per_hour)),
        ]
        with self._answering():
            self._release(keys=_keys(rules)[2:], args=arguments)

    def renew(self, leases: Sequence[tuple[Rules, str]]) -> None:
        """Prolong the leases of runs that go on."""
        keys = [_keys(rules)[2] for rules, _ in leases]
        with self._answering():
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

    def pauses(self) -> Pauses:
        """Read what holds calls up."""
        with self._answering():
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
    def _answering(self) -> Iterator[None]:
        """Map the client's errors; a server that did not answer is left alone for a while, so that nobody queues."""
        if self._monotonic() < self._away_until:
            raise LimiterUnavailable
        try:
            yield
        except RedisError as error:
            self._away_until = self._monotonic() + AWAY_SECONDS
            log.warning("limiter.unavailable", error=type(error).__name__, seconds=AWAY_SECONDS)
            raise LimiterUnavailable(error=type(error).__name__) from error

    def _question(self, rules: Rules, run: str, tokens: int, mode: str) -> list[Any]:
        limits = [rules.at_once, rules.per_minute, rules.burst, rules.tokens_per_hour]
        return [run, self._lease_ms, *limits, tokens, rules.nanousd_per_hour, mode, *rules.names]


def _keys(rules: Rules) -> list[str]:
    own = [f"{PREFIX}{kind}:{rules.agent_id}" for kind in ("leases", "rate", "tokens", "cost")]
    return [PAUSES, _record(rules.circuit), *own]


def _record(name: str) -> str:
    return f"{PREFIX}record:{name}"
