"""Telling dead workers from living ones by their heartbeat, without trusting anybody's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Vitality:
    """Watches each process's beat number and when it last changed, on this process's monotonic clock.

    A jump of a wall clock kills nobody, and neither does a database that was away: an observation that did not
    succeed on time makes all earlier ones worthless.
    """

    patience: float
    """Seconds that a number may stand still."""

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def observe(self, beats: Mapping[str, int], *, monotonic: float) -> frozenset[str]:
        """Take note of the beats; returns the processes whose number has stood still for too long."""
        fresh: dict[str, tuple[int, float]] = {}
        for process, beat in beats.items():
            known = self._seen.get(process)
            fresh[process] = known if known is not None and known[0] == beat else (beat, monotonic)
        self._seen = fresh
        return frozenset(
            process for process, (_, since) in fresh.items() if monotonic - since >= self.patience
        )

    def forget(self) -> None:
        """Drop all observations: the database was not to be reached, so nobody could beat."""
        self._seen.clear()
