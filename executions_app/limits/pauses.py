"""What holds calls up at the moment, as of a look at the limiter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from executions_app.limits.verdict import Refused
from executions_app.states import known_reason


@dataclass(frozen=True, slots=True)
class Pause:
    """Why calls are held up, and until when on the limiter's clock, in milliseconds."""

    reason: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """A pause that is in force, for so many seconds more."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses by their names, as they were at `server_ms` on the limiter's clock and `monotonic` on ours."""

    found: Mapping[str, Pause] = field(default_factory=dict)
    server_ms: int = 0
    monotonic: float = 0.0

    def holding(self, names: Iterable[str], *, monotonic: float) -> Refused | None:
        """Return what holds a call of these names up, if anything does: the pause that ends last."""
        now_ms = self.server_ms + (monotonic - self.monotonic) * 1000
        holding = [self.found[name] for name in names if name in self.found]
        longest = max(holding, key=lambda pause: pause.until_ms, default=None)
        if longest is None or longest.until_ms <= now_ms:
            return None
        return Refused(known_reason(longest.reason), (longest.until_ms - now_ms) / 1000)

    def in_force(self, *, monotonic: float) -> list[Held]:
        """List what holds calls up, by name."""
        now_ms = self.server_ms + (monotonic - self.monotonic) * 1000
        return [
            Held(name, pause.reason, (pause.until_ms - now_ms) / 1000)
            for name, pause in sorted(self.found.items())
            if pause.until_ms > now_ms
        ]

    def known(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that there is something about, in force or not."""
        return [name for name in names if name in self.found] if self.found else []


def read_pauses(entries: Mapping[str, str]) -> dict[str, Pause]:
    """Read the limiter's entries (`reason:milliseconds`)."""
    found = {}
    for name, entry in entries.items():
        reason, _, until = entry.rpartition(":")
        found[name] = Pause(reason, int(until))
    return found
