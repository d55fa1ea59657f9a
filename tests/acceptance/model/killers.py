"""Killing parts of the system with SIGKILL by a seeded plan, and bringing each back at once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from sandbox.embedded import ReplicaSet, start_valkey
from tests.acceptance.conftest import Fleet

WATCHERS = ("watcher-1", "watcher-2")
WORKERS = ("worker-1", "worker-2")
WORKER = (
    *("celery", "-A", "mongoclaw_project", "worker", "--pool", "threads", "--concurrency", "16"),
    *("-Q", "mongoclaw", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
)
PAUSED_SECONDS = 5.0
"""Longer than a lease: the other watcher leads when the paused one wakes up."""


class Killer:
    """Strikes one part at a time. A mongod is spared while another one is still catching up.

    Called from the main thread only: what it starts ends with the thread that started it.
    """

    def __init__(self, fleet: Fleet, mongods: ReplicaSet, *, seed: int) -> None:
        self.struck: Counter[str] = Counter()
        self._fleet = fleet
        self._mongods = mongods
        self._dice = random.Random(f"{seed} killer")
        self._asleep: dict[str, float] = {}
        self._lives = 0

    @property
    def kills(self) -> int:
        """How many processes were killed so far."""
        return sum(count for name, count in self.struck.items() if name not in _HARMLESS)

    def pause(self, longest: float) -> None:
        """Let the system work for some seconds."""
        until = time.monotonic() + longest * self._dice.random()
        while time.monotonic() < until:
            self._wake()
            time.sleep(0.05)

    def strike(self) -> None:
        """Kill something."""
        victim = self._dice.choice(_VICTIMS)
        if victim in _MONGOD and not self._mongods.is_whole():
            victim = self._dice.choice(("watcher", "worker"))
        _STRIKES[victim](self)
        self.struck[victim] += 1

    def wake_all(self) -> None:
        """Let every paused process go on."""
        self._wake(at_once=True)

    def _wake(self, *, at_once: bool = False) -> None:
        for name, until in list(self._asleep.items()):
            if at_once or time.monotonic() >= until:
                del self._asleep[name]
                self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._fleet.children[name].process.pid, number)

    def _watcher(self) -> None:
        name = self._dice.choice(WATCHERS)
        self._asleep.pop(name, None)
        self._fleet.kill(name)
        self._fleet.start_module(name, "watcher")

    def _worker(self) -> None:
        name = self._dice.choice(WORKERS)
        self._fleet.kill(name)
        self._fleet.start_module(name, *WORKER)

    def _pause(self) -> None:
        name = self._dice.choice(WATCHERS)
        self._asleep[name] = time.monotonic() + PAUSED_SECONDS
        self._signal(name, signal.SIGSTOP)

    def _divide(self) -> None:
        """Let a stream be read in another number of parts; with MongoDB away that may fail."""
        database = self._dice.choice(("shop", "desk"))
        self._fleet.cli("streams", "partition", database, str(self._dice.randint(1, 3)), check=False)

    def _primary(self) -> None:
        self._mongod(self._mongods.primary())

    def _secondary(self) -> None:
        primary = self._mongods.primary()
        self._mongod(self._dice.choice([n for n in range(len(self._mongods.members)) if n != primary]))

    def _mongod(self, number: int) -> None:
        self._mongods.kill(number)
        self._mongods.restart(number)

    def _step_down(self) -> None:
        self._mongods.step_down()

    def _broker(self) -> None:
        broker = self._fleet.broker
        broker.kill()
        self._fleet.broker = start_valkey(broker.data_dir, port=broker.port, append_only=True)

    def _broker_empty(self) -> None:
        broker = self._fleet.broker
        broker.kill()
        self._lives += 1
        place = self._fleet.directory / f"valkey-life-{self._lives}"
        self._fleet.broker = start_valkey(place, port=broker.port, append_only=True)


_STRIKES: dict[str, Callable[[Killer], None]] = {
    "watcher": Killer._watcher,
    "worker": Killer._worker,
    "pause": Killer._pause,
    "divide": Killer._divide,
    "primary": Killer._primary,
    "secondary": Killer._secondary,
    "step_down": Killer._step_down,
    "broker": Killer._broker,
    "broker_empty": Killer._broker_empty,
}
_MONGOD = ("primary", "secondary", "step_down")
_HARMLESS = frozenset({"pause", "divide", "step_down"})
_VICTIMS = (
    *("watcher", "watcher", "watcher", "pause", "divide"),
    *("worker", "worker", "broker", "broker_empty"),
    *_MONGOD,
)
