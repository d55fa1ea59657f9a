"""A line that says how far something is, on standard error: results are never among it."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

import click

from mongoclaw_project.cli.printable import printable
from mongoclaw_project.cli.terminal import is_terminal

_BEGIN_ANEW: Final = "\r\x1b[K"


class LiveLine:
    """Redrawn in its place on a terminal; elsewhere a line each `every` seconds, or none."""

    def __init__(self, *, every: float | None = None) -> None:
        self._every = every
        self._drawn = False
        self._told_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            click.echo(_BEGIN_ANEW, err=True, nl=False, color=True)

    def tell(self, text: str) -> None:
        """Say how far it is now."""
        if is_terminal(sys.stderr):
            from rich.cells import set_cell_size
            from rich.console import Console

            # One column is left free: a full line would be followed by a new one.
            room = Console(stderr=True).width - 1
            shown = set_cell_size(printable(text), room).rstrip()
            click.echo(f"{_BEGIN_ANEW}{shown}", err=True, nl=False, color=True)
            self._drawn = True
        elif self._every is not None and time.monotonic() - self._told_at >= self._every:
            click.echo(printable(text), err=True)
            self._told_at = time.monotonic()
