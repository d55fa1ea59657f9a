"""Whether this watcher does its work: a dead or stuck one must never look healthy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from watcher.reading.status import StreamState, StreamStatus

NEEDS_SOMEBODY: Final = frozenset({StreamState.REFUSED, StreamState.BROKEN})


class Standing(StrEnum):
    """What a watcher is at the moment."""

    LEADING = "leading"
    STANDBY = "standby"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """A stream that this process leads since `since`, in seconds of the monotonic clock."""

    since: float
    term: int
    status: StreamStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """What a watcher's process is doing.

    `streams` are those that it leads, by the name of their unit; `terms` those of all leases that it holds, by
    their names. `steps` says when each side task last ended a step without an error, in seconds of the monotonic
    clock; `dead` names those that have ended.
    """

    streams: Mapping[str, Led] = field(default_factory=dict)
    terms: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer, and why where it is no."""

    standing: Standing
    reasons: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it works, or stands by to."""
        return self.standing is not Standing.NOT_READY


def judge(vital: Vital, *, patience: float, monotonic: float) -> Readiness:
    """Say whether the watcher does its work. `patience` is how long anything may be silent, in seconds."""
    reasons = (
        *(f"{task} has ended" for task in sorted(vital.dead)),
        *_stuck(vital, patience, monotonic),
        *_unread(vital, patience, monotonic),
    )
    if reasons:
        return Readiness(Standing.NOT_READY, reasons)
    return Readiness(Standing.LEADING if vital.terms or vital.streams else Standing.STANDBY)


def _stuck(vital: Vital, patience: float, monotonic: float) -> Iterator[str]:
    for task, stepped_at in sorted(vital.steps.items()):
        silent = monotonic - stepped_at
        if silent > patience and task not in vital.dead:
            yield f"{task} has done nothing for {silent:.0f} s"


def _unread(vital: Vital, patience: float, monotonic: float) -> Iterator[str]:
    for name, led in sorted(vital.streams.items()):
        status = led.status
        silent = monotonic - (led.since if status.polled_at is None else status.polled_at)
        if status.state in NEEDS_SOMEBODY:
            yield f"stream {name} is {status.state}{_because(status)}"
        elif status.state is not StreamState.PAUSED and silent > patience:
            yield f"stream {name} has not been polled for {silent:.0f} s{_because(status)}"


def _because(status: StreamStatus) -> str:
    return f": {status.detail}" if status.detail else ""
