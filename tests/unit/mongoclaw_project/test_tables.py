from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mongoclaw_project.cli.output import show, to_json, to_json_line
from mongoclaw_project.cli.printable import printable
from mongoclaw_project.cli.tables import WIDEST, Table


def test_a_table_aligns_its_columns_and_keeps_a_row_on_one_line() -> None:
    table = Table(
        ("ID", "Enabled", "At"),
        [("a\nb", True, datetime(2026, 1, 2, tzinfo=UTC)), ("long-id", False, None)],
    )
    assert table.plain().splitlines() == [
        "ID       Enabled  At",
        "───────  ───────  ─────────────────────────",
        "a b      yes      2026-01-02T00:00:00+00:00",
        "long-id  no       -",
    ]


def test_only_elastic_columns_give_way() -> None:
    lines = Table(("ID", "Text"), [("a" * 60, "b" * 90)], elastic=(1,)).plain().splitlines()
    assert lines[2] == f"{'a' * 60}  {'b' * (WIDEST - 63)}…"


def test_a_programs_table_is_plain_and_stands_among_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, text=["Before", Table(("ID",), [("failed",)]), "", "After"])
    assert capsys.readouterr().out == "Before\nID\n──────\nfailed\n\nAfter\n"


HOSTILE = "\x1b[2Jgone\x07 \x9b31m \u202etxt.exe \r over \ud800"


def test_nothing_that_steers_a_terminal_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, text=[HOSTILE, Table((" ",), [(HOSTILE,)])])
    printed = capsys.readouterr().out
    assert printed.isascii() or set(printed) - {"─"} <= set(map(chr, range(128)))
    assert not {"\x1b", "\x07", "\r"} & set(printed)
    assert "\\u001b[2Jgone\\u0007 \\u009b31m \\u202etxt.exe" in printed


def test_tabs_ends_of_lines_and_all_writing_stay() -> None:
    text = "a\tb\n日本語 שלום 👩\u200d🔧 é"
    assert printable(text) == text


def test_json_steers_no_terminal_either_and_means_the_same() -> None:
    hostile = {"text": HOSTILE}
    for written in (to_json(hostile), to_json_line(hostile)):
        assert printable(written) == written
        assert json.loads(written) == hostile
