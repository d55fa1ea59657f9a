"""What this process may lead, and for how long: its leases, renewed by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pymongo
import structlog
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from executions_app import fence
from executions_app.fence import Fenced, Term
from watcher.leading.lease import Held, Lease, Renewal, leases_of, renew, retire
from watcher.leading.members import Members

log = structlog.get_logger(__name__)

RENEWALS: Final = 3
"""Renewals per duration of a lease: two may fail."""

GUARD: Final = 6
"""This part of a lease's duration before its end the holder stops by its own clock."""

HUNG_SECONDS: Final = 60.0
"""Who leads and has not ended a step for so long is given up, so that another watcher may try."""

State = Callable[[], Mapping[str, Any]]


def _nothing() -> None:
    """What to do at a loss that nobody has to hear of at once."""


def _no_state() -> Mapping[str, Any]:
    return {"state": "leading"}


class Tenure:
    """A lease of this process under one term. Once lost it stays lost; another one has another term."""

    def __init__(
        self, term: Term, lease: Lease, role: str, on_lost: Callable[[], None], state: State
    ) -> None:
        self.term = term
        self.role = role
        self.lost = False
        self.until = float("-inf")
        self._lease = lease
        self._on_lost = on_lost
        self._state = state

    def renewal(self) -> Renewal:
        """Build the write that renews the lease."""
        return self._lease.renewal(self.term.number, self._state())

    def release(self) -> None:
        """Release the lease; its successor need not wait. Raises pymongo's errors."""
        self._lease.release(self.term.number)

    def lose(self) -> None:
        """Stop what is led; whatever still runs is fenced off by its successor."""
        if not self.lost:
            self.lost = True
            self._on_lost()


class Tenures(threading.Thread):
    """All tenures of this process. Renews them together, and says to the other watchers that this one lives.

    The thread calls MongoDB only: a ledger that is locked or away costs no lease. What could not be renewed in time
    is lost by this process's own clock, before the lease runs out at the server.
    """

    def __init__(
        self,
        collection: Collection[dict[str, Any]],
        members: Members,
        holder: str,
        *,
        roles: Iterable[str],
        duration: timedelta,
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(name="tenures", daemon=True)
        self.members = members
        self.holder = holder
        self._collection = collection
        self._duration = duration
        self._seconds = duration.total_seconds()
        self._monotonic = monotonic
        self._held: dict[str, Tenure] = {}
        self._steps = dict.fromkeys(roles, monotonic())
        self._shunned: dict[str, float] = {}
        self._closing = threading.Event()

    def stepped(self, role: str) -> None:
        """Take note that a role has ended a step without an error."""
        self._steps[role] = self._monotonic()

    def steps(self) -> dict[str, float]:
        """When each role last ended a step, on the monotonic clock in seconds."""
        return dict(self._steps)

    def terms(self) -> dict[str, int]:
        """The term of each lease that is held."""
        return {name: tenure.term.number for name, tenure in dict(self._held).items()}

    def take(
        self,
        name: str,
        *,
        role: str,
        above: int = 0,
        about: Mapping[str, Any] | None = None,
        on_lost: Callable[[], None] = _nothing,
        state: State = _no_state,
    ) -> Tenure | None:
        """Take a lease and make the ledger know its term; None while another watcher holds it.

        Rises above `above`, and above any term that the ledger knows; None too if that has grown in between.
        Raises pymongo's and Django's errors.
        """
        if self._closing.is_set() or self._monotonic() < self._shunned.get(name, float("-inf")):
            return None
        lease = Lease(self._collection, name, self.holder, duration=self._duration)
        # First: whose ledger hangs must not keep the lease from others while it waits.
        known = fence.highest(name)
        asked = self._monotonic()
        with pymongo.timeout(self._seconds / RENEWALS):
            number = lease.acquire(above=max(above, known), about=about)
        if number is None:
            return None
        tenure = Tenure(Term(name, number), lease, role, on_lost, state)
        tenure.until = asked + self._seconds * (1 - 1 / GUARD)
        # From here on it is renewed, for `begin` waits for what the one before is writing.
        self._held[name] = tenure
        begun = False
        try:
            begun = self._begin(tenure.term)
        finally:
            if not begun:
                self.give_up(tenure)
        if not begun:
            return None
        log.info("lease.taken", lease=name, term=number)
        return tenure

    def _begin(self, term: Term) -> bool:
        """Make the ledger know a term; False if it knows a later one, or the very same: that of somebody who sleeps."""
        if fence.highest(term.name) >= term.number:
            return False
        try:
            fence.begin(term)
        except Fenced:
            return False
        return not self._closing.is_set()

    def holds(self, tenure: Tenure) -> bool:
        """Whether it may still be used, by this process's own clock."""
        return not tenure.lost and self._monotonic() < tenure.until

    def give_up(self, tenure: Tenure, *, shun: bool = False) -> None:
        """Release a lease, and with `shun` leave it to others for a while."""
        name = tenure.term.name
        if shun:
            self._shunned[name] = self._monotonic() + self._seconds * RENEWALS
        if not self._forget(tenure):
            tenure.lose()
            return
        in_time = self.holds(tenure)
        tenure.lose()
        try:
            with pymongo.timeout(self._seconds / RENEWALS):
                tenure.release()
        except PyMongoError as error:
            log.warning("lease.not_released", lease=name, error=type(error).__name__)
            return
        if in_time:
            log.info("lease.released", lease=name, term=tenure.term.number)
        else:
            log.warning("lease.ran_out", lease=name, term=tenure.term.number)

    def leases(self, prefix: str) -> list[Held]:
        """Read everybody's leases of one kind. Raises pymongo's errors."""
        return leases_of(self._collection, prefix)

    def retire(self, held: Held) -> None:
        """Fence off whoever held a lease that nobody needs any more, and take it away.

        Raises pymongo's and Django's errors.
        """
        with suppress(Fenced):
            fence.begin(Term(held.name, max(held.term, fence.highest(held.name)) + 1))
        retire(self._collection, held)

    def close(self) -> None:
        """Release what is still held and leave; safe to call twice."""
        self._closing.set()
        try:
            with pymongo.timeout(self._seconds / RENEWALS):
                for tenure in list(self._held.values()):
                    self.give_up(tenure)
                self.members.leave()
        except PyMongoError as error:
            log.warning("watcher.not_left", error=type(error).__name__)

    def run(self) -> None:
        """Renew until closed."""
        with suppress(PyMongoError), pymongo.timeout(self._seconds / RENEWALS):
            self.members.forget_the_dead()
        renewed_at = float("-inf")
        while not self._closing.is_set():
            started = self._monotonic()
            if started - renewed_at >= self._seconds / RENEWALS:
                renewed_at = started
                self._renew_in_time()
            self._lose_what_runs_out()
            self._closing.wait(self._seconds / RENEWALS / 4)

    def _renew_in_time(self) -> None:
        """Renew everything, within one deadline, for a server that does not answer must not keep us from stopping."""
        self._give_up_the_hung()
        now = self._monotonic()
        alive_since = now - self._seconds * RENEWALS
        left = min((tenure.until - now for tenure in list(self._held.values())), default=self._seconds)
        if left <= 0:
            return
        try:
            with pymongo.timeout(min(left, self._seconds / RENEWALS)):
                self.members.beat(role for role, at in self.steps().items() if at >= alive_since)
                self._renew()
        except PyMongoError as error:
            log.warning("lease.not_renewed", error=type(error).__name__, detail=str(error)[:200])

    def _renew(self) -> None:
        asked, tenures = self._monotonic(), list(self._held.values())
        kept = renew(self._collection, [tenure.renewal() for tenure in tenures])
        for tenure, is_kept in zip(tenures, kept, strict=True):
            if is_kept:
                tenure.until = asked + self._seconds * (1 - 1 / GUARD)
            elif self._forget(tenure):
                log.warning("lease.lost", lease=tenure.term.name, term=tenure.term.number)
                tenure.lose()

    def _lose_what_runs_out(self) -> None:
        for tenure in list(self._held.values()):
            if self._monotonic() >= tenure.until and self._forget(tenure):
                log.warning("lease.ran_out", lease=tenure.term.name, term=tenure.term.number)
                tenure.lose()

    def _give_up_the_hung(self) -> None:
        for tenure in list(self._held.values()):
            if self._monotonic() - self._steps[tenure.role] > HUNG_SECONDS:
                log.error("lease.given_up", lease=tenure.term.name, role=tenure.role, silent=HUNG_SECONDS)
                self.give_up(tenure, shun=True)

    def _forget(self, tenure: Tenure) -> bool:
        """Hold it no longer; False if it was not held."""
        name = tenure.term.name
        if self._held.get(name) is not tenure:
            return False
        return self._held.pop(name, None) is tenure
