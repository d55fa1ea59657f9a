"""Who counts as dead."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from watcher.sending.vitality import Vitality


def test_a_worker_whose_beat_stands_still_is_dead_after_the_patience() -> None:
    vitality = Vitality(patience=6.0)

    before = vitality.observe({"w": 5}, monotonic=100.0)
    soon = vitality.observe({"w": 5}, monotonic=105.9)
    late = vitality.observe({"w": 5}, monotonic=106.0)

    assert (before, soon, late) == (frozenset(), frozenset(), frozenset({"w"}))


def test_a_worker_that_beats_lives_however_long_it_runs() -> None:
    vitality = Vitality(patience=6.0)

    dead = [vitality.observe({"w": beat}, monotonic=5.0 * beat) for beat in range(50)]

    assert not any(dead)


def test_a_worker_that_wakes_up_again_is_alive_again() -> None:
    vitality = Vitality(patience=6.0)
    vitality.observe({"w": 1}, monotonic=0.0)
    vitality.observe({"w": 1}, monotonic=10.0)

    assert vitality.observe({"w": 2}, monotonic=11.0) == frozenset()


def test_an_outage_of_the_database_kills_nobody() -> None:
    vitality = Vitality(patience=6.0)
    vitality.observe({"w": 1}, monotonic=0.0)
    vitality.forget()

    assert vitality.observe({"w": 1}, monotonic=30.0) == frozenset()


BEAT, LOOK, PATIENCE = 1.0, 1.0, 6.0


def looks(
    beats_at: dict[str, list[float]], *, first: float, until: float
) -> Iterator[tuple[Vitality, frozenset[str]]]:
    """Look every second at workers that beat at these moments; gives who is found dead, once each."""
    vitality, known = Vitality(PATIENCE, apart=BEAT + LOOK), set[str]()
    moment = first
    while moment < until:
        # Whoever was found dead holds no run any more and is not asked for.
        beats = {
            worker: sum(at <= moment for at in beats)
            for worker, beats in beats_at.items()
            if worker not in known
        }
        dead = vitality.observe(beats, monotonic=moment)
        known |= dead
        if dead:
            yield vitality, dead
        moment += LOOK


def beating(phase: float, *, until: float) -> list[float]:
    return [phase + BEAT * number for number in range(100) if phase + BEAT * number <= until]


PHASE = st.floats(0.0, BEAT, exclude_max=True)


@given(st.lists(PHASE, min_size=2, max_size=5), PHASE, st.floats(0.0, LOOK), st.floats(5.0, 8.0))
def test_workers_that_die_with_their_host_die_in_company_and_nobody_who_lives_is_in_it(
    phases: list[float], living: float, first: float, end: float
) -> None:
    host = {f"host-{number}": beating(phase, until=end) for number, phase in enumerate(phases)}
    others = {"living": beating(living, until=100.0)}

    found = {
        worker: vitality.company(dead)[worker]
        for vitality, dead in looks(host | others, first=first, until=end + 20)
        for worker in dead
    }

    assert {worker: company | {worker} for worker, company in found.items()} == {
        worker: set(host) for worker in host
    }


@given(PHASE, PHASE, st.floats(0.0, LOOK), st.floats(BEAT + 2 * LOOK + 0.01, 20.0))
def test_workers_that_die_one_after_the_other_die_alone(
    one: float, other: float, first: float, later: float
) -> None:
    dying = {"one": beating(one, until=10.0), "other": beating(other, until=10.0 + BEAT + later)}

    found = {
        worker: vitality.company(dead)[worker]
        for vitality, dead in looks(dying, first=first, until=60.0)
        for worker in dead
    }

    assert found == {"one": frozenset(), "other": frozenset()}
