"""Tables: drawn on a terminal as wide as it is, plain text for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mongoclaw_project.cli.printable import printable

WIDEST: Final = 110
"""Characters of plain text."""

NARROWEST: Final = 8
"""Characters of a column that gives way. A terminal narrower than all of them together breaks the lines."""

_GAP: Final = 2
_TONES: Final = {
    **dict.fromkeys(("completed", "healthy", "live", "active"), "green"),
    **dict.fromkeys(("failed", "unhealthy", "broken", "refused", "revoked", "expired"), "red"),
    **dict.fromkeys(("running", "queued", "paused", "waiting", "open"), "yellow"),
    "-": "dim",
}
"""Words of states that are told by their colour, too."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers. A cell is one line; the widest of the `elastic` columns give way where room is short."""

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    elastic: Sequence[int] = ()

    def plain(self) -> str:
        """The table as text for files and programs."""
        cells = self._cells()
        widths = self._widths(cells, len, WIDEST)
        lines = ["  ".join(map(_fitted, line, widths)) for line in cells]
        lines.insert(1, "  ".join("─" * width for width in widths))
        return "\n".join(line.rstrip() for line in lines)

    def draw(self) -> None:
        """Draw the table on the terminal that standard output is; NO_COLOR takes the colours away."""
        from rich import box
        from rich.cells import cell_len
        from rich.console import Console
        from rich.table import Table as Drawing
        from rich.text import Text

        console = Console(highlight=False)
        cells = self._cells()
        widths = self._widths(cells, cell_len, console.width)
        drawing = Drawing(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for header, width in zip(self.headers, widths, strict=True):
            drawing.add_column(header, width=width, no_wrap=True, overflow="ellipsis")
        for line in cells[1:]:
            drawing.add_row(*(Text(cell, style=_TONES.get(cell, "")) for cell in line))
        console.width = max(console.width, sum(widths) + _GAP * len(widths))
        console.print(drawing, crop=False, soft_wrap=False)

    def _cells(self) -> list[list[str]]:
        return [list(self.headers), *([_cell(value) for value in row] for row in self.rows)]

    def _widths(self, cells: list[list[str]], length: Callable[[str], int], most: int) -> list[int]:
        widths = [max(length(line[column]) for line in cells) for column in range(len(self.headers))]
        while self.elastic and sum(widths) + _GAP * (len(widths) - 1) > most:
            widest = max(self.elastic, key=lambda column: widths[column])
            if widths[widest] <= NARROWEST:
                break
            widths[widest] -= 1
        return widths


def _fitted(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(timespec="seconds")
        case _:
            return printable(" ".join(str(value).split()))
