from __future__ import annotations

import threading

import pytest

from executions_app.turns import Turns
from tests.conditions import eventually


def test_a_thread_may_take_its_turn_again() -> None:
    turns = Turns()
    with turns.turn(), turns.turn():
        assert not _is_free(turns)
    assert _is_free(turns)


def test_a_turn_is_given_back_after_an_error() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn():
        _ = 1 / 0
    assert _is_free(turns)


def test_a_patient_thread_lets_all_others_go_first() -> None:
    turns = Turns()
    order: list[str] = []

    def patient() -> None:
        with turns.patiently(), turns.turn():
            order.append("patient")

    def hurried() -> None:
        with turns.turn():
            order.append("hurried")

    with turns.turn():
        threads = [threading.Thread(target=patient)]
        threads[0].start()
        eventually(lambda: _waiting(turns) == 1)
        threads += [threading.Thread(target=hurried) for _ in range(5)]
        for thread in threads[1:]:
            thread.start()
        eventually(lambda: _waiting(turns) == 6)
    for thread in threads:
        thread.join(5)

    assert order == ["hurried"] * 5 + ["patient"]


def test_patience_ends_with_its_block() -> None:
    turns = Turns()
    with turns.patiently(), turns.turn():
        pass
    assert not turns._patience.on


def _waiting(turns: Turns) -> int:
    with turns._changed:
        return len(turns._changed._waiters) + len(turns._left_over._waiters)  # type: ignore[attr-defined]


def _is_free(turns: Turns) -> bool:
    taken: list[bool] = []

    def take() -> None:
        with turns.turn():
            taken.append(True)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(0.2)
    return bool(taken)
