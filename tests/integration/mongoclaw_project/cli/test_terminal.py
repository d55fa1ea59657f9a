"""What somebody sees who sits at a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
SHOW = """
import sys, termios
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import show
from mongoclaw_project.cli.tables import Table
table = Table(
    ("ID", "Document", "Status"), [("a1b2c3d4", "日本 " + "x" * 300, "failed"), ("e5", "\\x1b]0;owned\\x07", "-")], (1,)
)
for width in map(int, sys.argv[1:]):
    if sys.stdout.isatty():
        termios.tcsetwinsize(1, (24, width))
    show({}, text=["\\x1b[2J", table, "END"])
with LiveLine(every=60) as line:
    for number in range(3):
        line.tell(f"{number} of 3 " + "y" * 300)
"""
STYLE = re.compile(r"\x1b\[[0-9;]*m")
WIDTHS = (400, 60, 20, 1)


def on_terminal(*words: str, **environ: str) -> str:
    """All that a program writes to a terminal."""
    ours, its = pty.openpty()
    kept = {
        key: text for key, text in os.environ.items() if key not in {"NO_COLOR", "COLUMNS", "FORCE_COLOR"}
    }
    process = subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, env={**kept, "TERM": "xterm", **environ}, stdout=its, stderr=its
    )
    os.close(its)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:  # that is how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, printed.decode()
    return printed.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def screens() -> list[str]:
    """What is drawn at each width, and behind it what goes on."""
    return on_terminal("-c", SHOW, *map(str, WIDTHS)).split("END\n")


def test_a_table_is_drawn_as_wide_as_the_terminal(screens: list[str]) -> None:
    wide, middle, *_ = (STYLE.sub("", screen) for screen in screens)
    assert "x" * 300 in wide
    assert "…" in middle
    assert "a1b2c3d4" in middle
    assert max(len(line) for line in middle.splitlines()) <= 60
    assert len(middle.splitlines()) == 5


def test_ids_stay_whole_where_the_terminal_is_narrower_than_the_table(screens: list[str]) -> None:
    for screen in screens[2:4]:
        assert "a1b2c3d4" in screen
        assert "failed" in screen


def test_states_are_coloured_unless_no_color_is_set(screens: list[str]) -> None:
    assert "\x1b[31mfailed" in screens[0]
    plain = on_terminal("-c", SHOW, "80", NO_COLOR="1")
    assert "failed" in plain
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)


def test_a_document_steers_no_terminal(screens: list[str]) -> None:
    for screen in screens[:4]:
        assert "\\u001b[2J" in screen
        assert "\x07" not in screen
        assert "\x1b" not in STYLE.sub("", screen)


def test_what_goes_on_is_one_line_that_is_drawn_anew_and_taken_away(screens: list[str]) -> None:
    told = on_terminal("-c", SHOW, "40").split("END\n")[1].split("\r\x1b[K")
    assert [line[:6] for line in told] == ["", "0 of 3", "1 of 3", "2 of 3", ""]
    assert max(map(len, told)) < 40


def test_a_terminal_that_can_draw_nothing_and_a_pipe_get_plain_text() -> None:
    dumb = on_terminal("-c", SHOW, "80", TERM="dumb")
    piped = subprocess.run(
        [sys.executable, "-c", SHOW, "80"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "\x1b" not in dumb + piped.stdout + piped.stderr
    assert "a1b2c3d4" in piped.stdout
    assert piped.stderr.startswith("0 of 3")
    assert dumb == piped.stdout + piped.stderr
