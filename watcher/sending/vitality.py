"""Telling dead workers from living ones by their heartbeat, without trusting anybody's clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

REMEMBERED: Final = 3
"""The dead are remembered for so many times the patience: whoever died with them is found dead sooner."""


@dataclass(slots=True)
class Vitality:
    """Watches each process's beat number and when it last changed, on this process's monotonic clock.

    A jump of a wall clock kills nobody, and neither does a database that was away: an observation that did not
    succeed on time makes all earlier ones worthless.
    """

    patience: float
    """Seconds that a number may stand still."""

    apart: float = 0.0
    """Seconds by which the last signs of life of those who died at one moment may differ: a beat and a look."""

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    _dead: dict[str, float] = field(default_factory=dict)

    def observe(self, beats: Mapping[str, int], *, monotonic: float) -> frozenset[str]:
        """Take note of the beats; returns the processes whose number has stood still for too long."""
        fresh: dict[str, tuple[int, float]] = {}
        for process, beat in beats.items():
            known = self._seen.get(process)
            fresh[process] = known if known is not None and known[0] == beat else (beat, monotonic)
        self._seen = fresh
        dead = {process: since for process, (_, since) in fresh.items() if monotonic - since >= self.patience}
        oldest = monotonic - REMEMBERED * self.patience
        self._dead = {process: since for process, since in self._dead.items() if since >= oldest} | dead
        return frozenset(dead)

    def company(self, dead: Collection[str]) -> dict[str, frozenset[str]]:
        """Name for each of the dead who fell silent with it, whether found dead before, now, or not yet."""
        since = self._dead | {process: since for process, (_, since) in self._seen.items()}
        return {process: fell_silent_with(process, since, apart=self.apart) for process in dead}

    def forget(self) -> None:
        """Drop all observations: the database was not to be reached, so nobody could beat."""
        self._seen.clear()
        self._dead.clear()


def fell_silent_with(process: str, since: Mapping[str, float], *, apart: float) -> frozenset[str]:
    """Name the others whose last sign of life was within so many seconds of this one's.

    Nobody alive is among them as long as a process is given up for dead after more than twice that time.
    """
    moment = since[process]
    return frozenset(other for other, at in since.items() if other != process and abs(at - moment) <= apart)
