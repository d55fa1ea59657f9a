"""What was put off in a storm is done when it is due, and all of it in the end."""

from __future__ import annotations

from tests.acceptance.storm.agenda import Agenda


def test_a_pause_does_what_is_due_and_nothing_else() -> None:
    done: list[str] = []
    agenda = Agenda()
    agenda.after(1000, lambda: done.append("later"))
    agenda.after(0, lambda: done.append("now"))

    agenda.pause(0)

    assert done == ["now"]


def test_the_end_does_all_that_is_left_in_its_order() -> None:
    done: list[str] = []
    agenda = Agenda()
    agenda.after(2000, lambda: done.append("second"))
    agenda.after(1000, lambda: done.append("first"))
    agenda.after(2000, lambda: agenda.after(0, lambda: done.append("third")))

    agenda.finish()

    assert done == ["first", "second", "third"]
