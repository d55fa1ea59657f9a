from __future__ import annotations

import pytest

from watcher.observing.readiness import Led, Standing, Vital, judge
from watcher.reading.status import StreamState, StreamStatus

NOW = 1_000.0
PATIENCE = 15.0


def led(state: StreamState, *, polled_ago: float | None = 0.5, since: float = 100.0, detail: str = "") -> Led:
    polled_at = None if polled_ago is None else NOW - polled_ago
    return Led(
        since=NOW - since, term=3, status=StreamStatus(state=state, polled_at=polled_at, detail=detail)
    )


def answer(**vital: object) -> tuple[Standing, tuple[str, ...]]:
    readiness = judge(Vital(**vital), patience=PATIENCE, monotonic=NOW)  # type: ignore[arg-type]
    assert readiness.is_ready is (readiness.standing is not Standing.NOT_READY)
    return readiness.standing, readiness.reasons


def test_a_watcher_whose_streams_are_polled_leads() -> None:
    streams = {"shop": led(StreamState.LIVE), "crm": led(StreamState.CATCHING_UP, polled_ago=14)}
    assert answer(streams=streams, steps={"stream": NOW - 1}) == (Standing.LEADING, ())


def test_a_watcher_without_a_lease_stands_by_and_is_ready() -> None:
    assert answer(steps={"stream": NOW - 1, "dispatch": NOW - 0.2}) == (Standing.STANDBY, ())


def test_a_stream_that_is_not_polled_makes_it_not_ready_and_is_named() -> None:
    standing, reasons = answer(streams={"shop": led(StreamState.WAITING, polled_ago=20, detail="no primary")})
    assert standing is Standing.NOT_READY
    assert reasons == ("stream shop has not been polled for 20 s: no primary",)


def test_a_stream_that_never_got_an_answer_has_its_patience_from_the_lease_on() -> None:
    assert answer(streams={"shop": led(StreamState.STARTING, polled_ago=None, since=10)})[1] == ()
    late = answer(streams={"shop": led(StreamState.STARTING, polled_ago=None, since=16)})
    assert late == (Standing.NOT_READY, ("stream shop has not been polled for 16 s",))


@pytest.mark.parametrize("state", [StreamState.REFUSED, StreamState.BROKEN])
def test_a_stream_that_needs_somebody_makes_it_not_ready_at_once(state: StreamState) -> None:
    standing, reasons = answer(streams={"shop": led(state, polled_ago=0, detail="set a position")})
    assert standing is Standing.NOT_READY
    assert reasons == (f"stream shop is {state}: set a position",)


def test_a_paused_stream_is_as_somebody_wanted_it() -> None:
    assert answer(streams={"shop": led(StreamState.PAUSED, polled_ago=9_999)}) == (Standing.LEADING, ())


def test_a_side_task_that_has_ended_makes_it_not_ready_even_as_a_standby() -> None:
    assert answer(dead=frozenset({"stream"})) == (Standing.NOT_READY, ("stream has ended",))


def test_a_lease_that_cannot_be_asked_for_makes_it_not_ready_even_as_a_standby() -> None:
    assert answer(steps={"stream": NOW - 40}) == (Standing.NOT_READY, ("stream has done nothing for 40 s",))
