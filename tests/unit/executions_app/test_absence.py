"""How long a server that does not answer is left alone."""

from __future__ import annotations

from executions_app.limits.absence import LONGEST_SECONDS, SHORTEST_SECONDS, Absence


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def pauses(*, silent: bool, times: int = 8) -> list[float | None]:
    clock = Clock()
    absence = Absence(clock)
    found = []
    for _ in range(times):
        pause = absence.note(silent=silent)
        found.append(pause)
        clock.at += (pause or 0.0) - 0.01
        assert absence.is_on
        clock.at += 0.01
        assert not absence.is_on
    return found


def test_a_silent_server_is_left_alone_twice_as_long_each_time_and_a_refusing_one_is_not() -> None:
    assert pauses(silent=True) == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    assert pauses(silent=False) == [2.0] * 8
    assert (SHORTEST_SECONDS, LONGEST_SECONDS) == (2.0, 30.0)


def test_many_who_asked_at_a_time_make_one_pause() -> None:
    clock = Clock()
    absence = Absence(clock)

    assert [absence.note(silent=True) for _ in range(64)] == [2.0] + [None] * 63

    clock.at += 2.0
    assert absence.note(silent=True) == 4.0


def test_an_answer_ends_it() -> None:
    clock = Clock()
    absence = Absence(clock)
    absence.note(silent=True)

    absence.end()

    assert not absence.is_on
    assert absence.note(silent=True) == 2.0
