"""Which dead workers speak against a run, and how suspects are told from their company."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from executions_app.poison import LONGEST_SPREAD, SPACING, Fate, Orphan, decide
from executions_app.states import Reason, Status

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def orphan(name: str = "a", *, losses: int = 0, blamed: bool = True, alone: bool = True) -> Orphan:
    return Orphan(name, 1, f"subject-{name}", losses, blamed, alone)


def decided(*orphans: Orphan, most: int = 5) -> dict[str, Fate]:
    return {found.id: fate for found, fate in decide(orphans, most=most, now=NOW)}


def dues(fates: Sequence[Fate]) -> list[timedelta]:
    return sorted(fate.due_at - NOW for fate in fates)


def test_a_run_whose_worker_died_runs_again_at_once_and_the_death_is_noted() -> None:
    assert decided(orphan())["a"] == Fate(
        status=Status.PENDING, reason=Reason.RECLAIMED, losses=1, due_at=NOW
    )


def test_the_last_straw_makes_a_dead_letter_that_says_why() -> None:
    fate = decided(orphan(losses=4))["a"]
    assert (fate.status, fate.reason, fate.losses) == (Status.FAILED, Reason.POISON_RUN, 5)
    assert fate.error == "5 workers in a row died while they ran it"


def test_a_worker_that_was_asked_to_stop_does_not_count() -> None:
    fate = decided(orphan(losses=4, blamed=False))["a"]
    assert (fate.status, fate.losses) == (Status.PENDING, 4)


def test_workers_that_die_together_make_no_dead_letter_however_often() -> None:
    fate = decided(orphan(losses=4, alone=False))["a"]
    assert (fate.status, fate.losses) == (Status.PENDING, 4)
    assert decided(orphan(losses=fate.losses))["a"].status == Status.FAILED


def test_with_0_nothing_is_ever_poison() -> None:
    fate = decided(orphan(losses=1_000), most=0)["a"]
    assert (fate.status, fate.losses) == (Status.PENDING, 1_001)


def test_suspects_come_back_one_by_one_and_the_worst_last() -> None:
    fates = decided(orphan("worst", losses=3), orphan("fresh"), orphan("b", losses=1), orphan("c", losses=1))
    assert fates["fresh"].due_at == NOW
    assert dues([fates[name] for name in ("b", "c", "worst")]) == [timedelta(), SPACING, 2 * SPACING]
    assert fates["worst"].due_at == NOW + 2 * SPACING


def test_a_thousand_suspects_are_back_within_a_minute() -> None:
    fates = decided(*(orphan(str(number), losses=1) for number in range(1_000)))
    assert dues(list(fates.values()))[-1] < LONGEST_SPREAD
