"""Killing, stopping and pausing processes and servers by a seeded plan, and bringing each back."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from tests.acceptance.storm.agenda import Agenda
from tests.acceptance.storm.stage import PROCESSES, Stage

PAUSED_SECONDS: Final = (6.0, 15.0)
"""Longer than a lease and than a heartbeat's patience: others have taken over when the paused one wakes up."""
GRACE_SECONDS: Final = (0.5, 12.0)
"""What a process gets between SIGTERM and SIGKILL: enough or not."""
GONE_SECONDS: Final = (0.0, 6.0)


class Killer:
    """Strikes one part at a time, and leaves a part alone until it is back.

    Called from the main thread only: what it starts ends with the thread that started it.
    """

    def __init__(self, stage: Stage, agenda: Agenda, *, seed: int) -> None:
        self.strikes: dict[str, Callable[[], str]] = {
            "kill": self._kill,
            "pause": self._pause,
            "terminate": self._terminate,
            "broker_killed": self._broker_killed,
            "broker_emptied": self._broker_emptied,
            "broker_stopped": self._broker_stopped,
            "broker_paused": self._broker_paused,
            "broker_flushed": self._broker_flushed,
            "mongod_killed": self._mongod_killed,
            "mongod_steps_down": self._step_down,
            "stream_divided": self._divide,
        }
        self._stage = stage
        self._agenda = agenda
        self._dice = random.Random(f"{seed} killer")
        self._busy: set[str] = set()

    def restart_dead(self) -> list[str]:
        """Start what has ended without being struck; returns how each ended."""
        children = self._stage.fleet.children
        dead = [name for name in PROCESSES if name not in self._busy and not children[name].is_alive()]
        ended = [children[name].obituary() for name in dead]
        for name in dead:
            self._stage.fleet.kill(name)
            self._stage.start(name)
        return ended

    def _victim(self) -> str | None:
        free = [name for name in PROCESSES if name not in self._busy]
        return self._dice.choice(free) if free else None

    def _kill(self) -> str:
        name = self._victim()
        if name is None:
            return ""
        self._stage.fleet.kill(name)
        return self._back(name, self._dice.uniform(*GONE_SECONDS), "SIGKILL")

    def _terminate(self) -> str:
        name = self._victim()
        if name is None:
            return ""
        self._stage.fleet.children[name].process.send_signal(signal.SIGTERM)
        return self._back(name, self._dice.uniform(*GRACE_SECONDS), "SIGTERM")

    def _back(self, name: str, seconds: float, how: str) -> str:
        """Start a process anew in so many seconds; what is left of the old one is killed then."""

        def replace() -> None:
            if name in self._stage.fleet.children:
                self._stage.fleet.kill(name)
            self._stage.start(name)
            self._busy.discard(name)

        self._busy.add(name)
        self._agenda.after(seconds, replace)
        return f"{how} {name}, back in {seconds:.1f} s"

    def _pause(self) -> str:
        name = self._victim()
        if name is None:
            return ""
        process = self._stage.fleet.children[name].process
        return self._asleep(name, process.pid, self._dice.uniform(*PAUSED_SECONDS))

    def _asleep(self, name: str, pid: int, seconds: float) -> str:
        def wake() -> None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGCONT)
            self._busy.discard(name)

        os.killpg(pid, signal.SIGSTOP)
        self._busy.add(name)
        self._agenda.after(seconds, wake)
        return f"SIGSTOP {name} for {seconds:.1f} s"

    def _broker_killed(self) -> str:
        return self._broker_dies(empty=not self._stage.carrier.kind.survives_a_kill, clean=False)

    def _broker_emptied(self) -> str:
        return self._broker_dies(empty=True, clean=False)

    def _broker_stopped(self) -> str:
        return self._broker_dies(empty=False, clean=True)

    def _broker_dies(self, *, empty: bool, clean: bool) -> str:
        if "broker" in self._busy:
            return ""
        seconds = self._dice.uniform(*GONE_SECONDS)
        if clean:
            self._stage.carrier.server.stop()
        else:
            self._stage.carrier.kill()

        def revive() -> None:
            self._stage.carrier.restart(empty=empty)
            self._busy.discard("broker")

        self._busy.add("broker")
        self._agenda.after(seconds, revive)
        how = "SIGTERM" if clean else "SIGKILL"
        return f"{how} broker, back in {seconds:.1f} s {'empty' if empty else 'with its data'}"

    def _broker_paused(self) -> str:
        if "broker" in self._busy:
            return ""
        pid = self._stage.carrier.server.process.pid
        return self._asleep("broker", pid, self._dice.uniform(*PAUSED_SECONDS))

    def _broker_flushed(self) -> str:
        if "broker" in self._busy:
            return ""
        self._stage.carrier.flush()
        return "broker flushed"

    def _mongod_killed(self) -> str:
        """Kill a member and bring it back at once; a set that is catching up is spared."""
        mongods = self._stage.mongods
        if not mongods.is_whole():
            return ""
        number = self._dice.randrange(len(mongods.members))
        role = "primary" if number == mongods.primary() else "secondary"
        mongods.kill(number)
        mongods.restart(number)
        return f"SIGKILL {role}"

    def _step_down(self) -> str:
        mongods = self._stage.mongods
        return "primary steps down" if mongods.is_whole() and mongods.step_down() else ""

    def _divide(self) -> str:
        """Let a stream be read in another number of parts; with MongoDB away that may fail."""
        database, parts = self._dice.choice(("shop", "desk")), self._dice.randint(1, 3)
        self._stage.fleet.cli("streams", "partition", database, str(parts), check=False)
        return f"{database} in {parts} parts"
