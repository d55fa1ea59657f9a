"""Keeping a reader at work for each unit whose lease this process holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from agents_app import registry
from agents_app.registry import ActiveAgent
from watcher.leading.assignment import Assignment
from watcher.leading.control import Control, Controls, DivisionUnsupported, units_of
from watcher.leading.lease import Held
from watcher.leading.shares import share_of
from watcher.leading.tenure import Tenures
from watcher.observing.readiness import Led
from watcher.reading.reader import Reading
from watcher.reading.status import StreamState
from watcher.unit import STREAM_LEASE, Unit

log = structlog.get_logger(__name__)

ROLE: Final = "stream"

PAUSE: Final = 0.25
"""Seconds between two looks at what is to be read, and by whom."""

SOON: Final = 0.02
"""The same after a lease has changed hands."""

SHARING_PAUSE: Final = 1.0
"""Seconds between two looks for newcomers, while nothing is free."""

STOP_PATIENCE: Final = 0.4
"""Seconds that readers may take to store their positions when the process ends: a successor waits for the leases."""

Agents = tuple[ActiveAgent, ...]


@dataclass(slots=True)
class StreamKeeper:
    """Shares the units with the other watchers, and has a reader at work for each of its own.

    A lease that was taken in one step is used from the next on. So every reader starts after a look at the controls
    and at everybody's leases that is later than its own lease, and cannot miss that another layout is in use.
    """

    tenures: Tenures
    controls: Controls
    reading: Reading
    can_divide: Callable[[], bool]
    monotonic: Callable[[], float]
    _assignments: dict[str, Assignment] = field(default_factory=dict)
    _agents: Sequence[ActiveAgent] = ()
    _by_database: Mapping[str, Agents] = field(default_factory=dict)
    _shared_at: float = field(default=float("-inf"))

    def step(self) -> float:
        """Bring leases and readers in line with agents, controls and the other watchers; returns the pause.

        Raises SideTaskDied if a reader failed for good, pymongo's and Django's errors if a server is away.
        """
        self._group_agents()
        controls = self.controls.read()
        wanted = {
            unit.lease: unit
            for database in self._by_database
            for unit in units_of(database, controls.get(database, Control()))
        }
        leases = {held.name: held for held in self.tenures.leases(STREAM_LEASE)}
        self._let_go_of_what_is_over(wanted)
        unwanted = [held for held in leases.values() if held.name not in wanted]
        divided_anew = {held.database for held in unwanted}
        for assignment in self._assignments.values():
            database = assignment.unit.database
            if database not in divided_anew:
                self._keep(assignment, controls.get(database, Control()))
        moved = self._retire(unwanted) + self._share(wanted, leases, divided_anew)
        self.tenures.stepped(ROLE)
        return SOON if moved else PAUSE

    def stop(self) -> None:
        """Stop all readers, wait briefly for their last positions, and release the leases."""
        assignments = list(self._assignments.values())
        for assignment in assignments:
            assignment.stop()
        deadline = self.monotonic() + STOP_PATIENCE
        for assignment in assignments:
            assignment.join(max(0.0, deadline - self.monotonic()))
            self.tenures.give_up(assignment.tenure)
        self._assignments.clear()

    def led(self) -> dict[str, Led]:
        """Say what this process reads, by the names of the units; safe from any thread."""
        return {one.unit.name: one.led() for one in list(self._assignments.values())}

    def _group_agents(self) -> None:
        agents = registry.active_agents()
        if agents is self._agents:
            return
        grouped: defaultdict[str, list[ActiveAgent]] = defaultdict(list)
        for agent in agents:
            grouped[agent.spec.watch.database].append(agent)
        self._agents = agents
        # The very tuple that a reader has, where nothing changed for it: it would compare a thousand agents.
        known = self._by_database
        self._by_database = {
            database: known[database] if known.get(database) == tuple(those) else tuple(those)
            for database, those in grouped.items()
        }

    def _let_go_of_what_is_over(self, wanted: Mapping[str, Unit]) -> None:
        for name, assignment in list(self._assignments.items()):
            if not self.tenures.holds(assignment.tenure):
                # Not merely forgotten: a renewal under way would keep the lease, and nobody would use it.
                self.tenures.give_up(assignment.tenure)
                del self._assignments[name]
            elif name not in wanted or assignment.is_over:
                self._let_go(name, assignment)

    def _let_go(self, name: str, assignment: Assignment) -> None:
        is_hung = assignment.is_hung
        if is_hung:
            log.error("reader.hung", stream=assignment.unit.name)
        if assignment.leave():
            self.tenures.give_up(assignment.tenure, shun=is_hung)
            del self._assignments[name]

    def _keep(self, assignment: Assignment, control: Control) -> None:
        if assignment.is_over:
            return
        if control.paused:
            assignment.rest(StreamState.PAUSED)
        elif assignment.unit.of > 1 and not self.can_divide():
            assignment.rest(StreamState.REFUSED, str(DivisionUnsupported()))
        else:
            assignment.run(self._by_database[assignment.unit.database], control)

    def _retire(self, unwanted: Sequence[Held]) -> int:
        """Take away the leases of units that are no more; returns how many there were."""
        free = [held for held in unwanted if held.holder is None]
        for held in free:
            self.tenures.retire(held)
        return len(free)

    def _share(
        self, wanted: Mapping[str, Unit], leases: Mapping[str, Held], divided_anew: set[str | None]
    ) -> int:
        """Take or let go of units; returns how many were taken."""
        holders = {name: leases[name].holder if name in leases else None for name in wanted}
        for name, unit in wanted.items():
            if unit.database in divided_anew and holders[name] is None:
                holders[name] = "nobody yet"
        if None not in holders.values() and self.monotonic() - self._shared_at < SHARING_PAUSE:
            return 0
        self._shared_at = self.monotonic()
        members = [one.holder for one in self.tenures.members.live() if ROLE in one.roles]
        share = share_of(self.tenures.holder, units=list(wanted), holders=holders, members=members)
        for name in share.give_up:
            if name in self._assignments:
                self._let_go(name, self._assignments[name])
        return sum(self._take(name, wanted[name]) for name in share.take)

    def _take(self, name: str, unit: Unit) -> bool:
        assignment = Assignment(unit, self.reading, self.monotonic)
        tenure = self.tenures.take(
            name,
            role=ROLE,
            above=self.reading.positions.highest_term(),
            about={"database": unit.database},
            on_lost=assignment.stop,
            state=assignment.state,
        )
        if tenure is None:
            return False
        assignment.tenure = tenure
        self._assignments[name] = assignment
        return True
