"""The transition table and the reasons."""

from __future__ import annotations

from executions_app.states import REASON_MEANINGS, TERMINAL, TRANSITIONS, Reason, Status


def test_every_status_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Status)


def test_nothing_leaves_a_terminal_state_but_a_dead_letter_that_somebody_decides_about() -> None:
    assert {status: set(TRANSITIONS[status]) for status in TERMINAL} == {
        Status.COMPLETED: set(),
        Status.SKIPPED: set(),
        Status.FAILED: {Status.PENDING, Status.DISCARDED},
        Status.DISCARDED: {Status.FAILED},
    }


def test_every_state_can_be_reached_from_pending() -> None:
    reached, edge = {Status.PENDING}, [Status.PENDING]
    while edge:
        edge = [after for before in edge for after in TRANSITIONS[before] if after not in reached]
        reached.update(edge)

    assert reached == set(Status)


def test_every_reason_has_a_meaning() -> None:
    assert set(REASON_MEANINGS) == set(Reason)
