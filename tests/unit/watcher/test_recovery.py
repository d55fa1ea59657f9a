"""The ladder: what each error of a stream leads to, how long it waits, and when it stops hoping."""

from __future__ import annotations

import pytest
from bson import Timestamp
from pymongo.errors import AutoReconnect, CursorNotFound, OperationFailure

from watcher.reading.recovery import (
    BROKEN_PAUSE,
    HISTORY_LOST,
    HOPELESS,
    ORIGIN,
    PASSING,
    TOKEN_REFUSED,
    TOO_LARGE,
    Action,
    Phase,
    Troubles,
    action_for,
    code_of,
    is_resumable,
)

AGAIN, AT_TIME, LATER, NARROW, BREAK = Action

LADDER: dict[int | None, tuple[Action, Action]] = {
    # code: (while opening, while reading)
    None: (AGAIN, AGAIN),
    6: (AGAIN, AGAIN),
    7: (AGAIN, AGAIN),
    13: (BREAK, BREAK),
    18: (BREAK, BREAK),
    43: (AGAIN, AGAIN),
    50: (AGAIN, AGAIN),
    63: (AGAIN, AGAIN),
    89: (AGAIN, AGAIN),
    91: (AGAIN, AGAIN),
    133: (AGAIN, AGAIN),
    134: (AGAIN, AGAIN),
    136: (LATER, AGAIN),
    150: (AGAIN, AGAIN),
    168: (BREAK, BREAK),
    189: (AGAIN, AGAIN),
    202: (AGAIN, AGAIN),
    234: (AGAIN, AGAIN),
    237: (AGAIN, AGAIN),
    260: (AT_TIME, AT_TIME),
    262: (AGAIN, AGAIN),
    280: (AT_TIME, AT_TIME),
    286: (LATER, AGAIN),
    464: (AT_TIME, AT_TIME),
    8000: (BREAK, BREAK),
    9001: (AGAIN, AGAIN),
    10107: (AGAIN, AGAIN),
    10334: (NARROW, NARROW),
    11600: (AGAIN, AGAIN),
    11601: (AGAIN, AGAIN),
    11602: (AGAIN, AGAIN),
    13388: (AGAIN, AGAIN),
    13435: (AGAIN, AGAIN),
    13436: (AGAIN, AGAIN),
    40324: (BREAK, BREAK),
    40573: (BREAK, BREAK),
    50811: (AT_TIME, AT_TIME),
    9: (AT_TIME, AGAIN),  # DocumentDB's word for a token that it does not take
    99999: (AT_TIME, AGAIN),  # nobody knows it
}


@pytest.mark.parametrize("code", LADDER, ids=str)
def test_each_code_has_its_step_in_each_phase(code: int | None) -> None:
    steps = tuple(action_for(code, phase, fruitless=0) for phase in (Phase.OPENING, Phase.READING))

    assert steps == LADDER[code]


def test_the_table_names_every_code_that_the_ladder_knows() -> None:
    known = PASSING | HISTORY_LOST | TOKEN_REFUSED | TOO_LARGE | HOPELESS.keys()

    assert known <= LADDER.keys()


@pytest.mark.parametrize("code", sorted(TOKEN_REFUSED | TOO_LARGE | {99999}))
@pytest.mark.parametrize("phase", Phase)
def test_what_two_recoveries_did_not_mend_is_broken(code: int, phase: Phase) -> None:
    assert action_for(code, phase, fruitless=1) is not BREAK
    assert action_for(code, phase, fruitless=2) is BREAK


@pytest.mark.parametrize("code", sorted(HISTORY_LOST))
def test_history_that_is_lost_gets_one_try_more_in_which_the_server_is_believed(code: int) -> None:
    assert [action_for(code, Phase.OPENING, fruitless=count) for count in range(4)] == [LATER] * 3 + [BREAK]
    assert [action_for(code, Phase.READING, fruitless=count) for count in range(3)] == [AGAIN] * 2 + [BREAK]


@pytest.mark.parametrize("code", [*sorted(PASSING), None], ids=str)
def test_a_server_that_is_away_is_waited_for_and_never_called_broken(code: int | None) -> None:
    assert {action_for(code, phase, fruitless=1000) for phase in Phase} == {AGAIN}


def test_an_unknown_error_that_the_server_calls_resumable_passes() -> None:
    labelled = OperationFailure("?", 99999, {"errorLabels": ["ResumableChangeStreamError"]})

    assert is_resumable(labelled)
    assert action_for(99999, Phase.READING, fruitless=1000, resumable=True) is AGAIN
    assert not is_resumable(AutoReconnect("away"))


def test_the_network_has_no_code_and_the_server_has() -> None:
    assert [code_of(error) for error in (AutoReconnect("away"), CursorNotFound("gone", 43))] == [None, 43]


def reached(second: int, token: str = "") -> tuple[Timestamp, str]:
    return Timestamp(second, 1), token


def test_a_stream_that_moves_on_between_errors_is_not_broken() -> None:
    troubles = Troubles()
    for second in range(1, 20):
        troubles = troubles.and_one_more(reached(second), monotonic=second)
        assert troubles.fruitless == 0


def test_going_back_to_the_tokens_time_and_forth_again_is_no_move() -> None:
    troubles = Troubles().and_one_more(reached(5, "82FF"), monotonic=0)
    troubles = troubles.and_one_more(reached(5), monotonic=1)
    troubles = troubles.and_one_more(reached(5, "82FF"), monotonic=2)

    assert troubles.fruitless == 2


def test_pauses_grow_to_five_seconds_are_spread_and_begin_anew_after_quiet() -> None:
    troubles, pauses = Troubles(), []
    for second in range(8):
        troubles = troubles.and_one_more(ORIGIN, monotonic=second)
        pauses.append(troubles.pause(AGAIN, jitter=1.0))

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert troubles.pause(AGAIN, jitter=0.0) == 2.5
    assert troubles.and_one_more(ORIGIN, monotonic=100).pause(AGAIN, jitter=1.0) == 0.2
    assert troubles.pause(BREAK, jitter=0.5) == BROKEN_PAUSE


@pytest.mark.parametrize("code", [280, 286, 10334, 99999, 43, None], ids=str)
def test_an_error_that_never_ends_opens_a_stream_a_bounded_number_of_times(code: int | None) -> None:
    clock, opens, troubles = 0.0, 0, Troubles()
    while clock < 600:
        opens += 1
        troubles = troubles.and_one_more(ORIGIN, monotonic=clock)
        action = action_for(code, Phase.READING, fruitless=troubles.fruitless)
        clock += troubles.pause(action, jitter=0.0)

    assert opens <= 600 / 2.5 + 10
    if code in HISTORY_LOST | TOKEN_REFUSED | TOO_LARGE:
        assert opens <= 600 / BROKEN_PAUSE + 3
