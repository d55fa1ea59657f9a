"""The account of calls: how many, for which prompt, how many at a time, and what became of each."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

_LOGGED_CALLS = 20_000
_LOGGED_CHARACTERS = 8_000


@dataclass(slots=True)
class Call:
    """One call; times in seconds since the epoch, `ended` None while it is in flight."""

    hash: str
    prompt: str
    started: float
    ended: float | None = None
    outcome: str = "in_flight"
    answer: str | None = None


class CallLog:
    """Counts every call and remembers the last twenty thousand."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forgets all calls; those in flight go on and are not counted when they end."""
        self.total = 0
        self.max_in_flight = self.in_flight
        self._per_prompt: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._log: deque[Call] = deque(maxlen=_LOGGED_CALLS)

    def begin(self, digest: str, prompt: str, *, now: float) -> Call:
        """Counts a call that has just been read."""
        call = Call(digest, prompt[-_LOGGED_CHARACTERS:], now)
        self.total += 1
        self._per_prompt[digest] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._log.append(call)
        return call

    def end(self, call: Call, outcome: str, *, now: float) -> None:
        """Records once what became of a call: `answered`, `abandoned` by the client, or the fault's kind."""
        if call.ended is None:
            call.ended = now
            call.outcome = outcome
            self.in_flight -= 1
            self._outcomes[outcome] += 1

    def summary(self) -> dict[str, Any]:
        """The counts."""
        return {
            "total": self.total,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "prompts": len(self._per_prompt),
            "outcomes": dict(self._outcomes),
            "per_prompt": dict(self._per_prompt),
        }

    def entries(self) -> list[dict[str, Any]]:
        """The remembered calls, oldest first."""
        return [asdict(call) for call in self._log]
