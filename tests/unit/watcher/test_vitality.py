"""Who counts as dead."""

from __future__ import annotations

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
