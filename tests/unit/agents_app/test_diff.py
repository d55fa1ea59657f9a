"""What changed between two texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents_app.diff import Change, diff


def test_equal_texts_have_no_changes() -> None:
    assert diff("a\nb", "a\nb") == ()


def test_changed_lines_are_shown_with_their_place() -> None:
    assert [(line.change, line.text) for line in diff("a\nb\nc", "a\nx\nc")] == [
        (Change.PLACE, "@@ -1,3 +1,3 @@"),
        (Change.SAME, "a"),
        (Change.REMOVED, "b"),
        (Change.ADDED, "x"),
        (Change.SAME, "c"),
    ]


_texts = st.lists(st.sampled_from(["", "a", "--- a", "+++ b", "@@", " c"]), max_size=8).map("\n".join)


@given(_texts, _texts)
def test_any_two_texts_can_be_compared(old: str, new: str) -> None:
    lines = diff(old, new)
    added = [line.text for line in lines if line.change is Change.ADDED]
    assert all(text in new.splitlines() for text in added)
