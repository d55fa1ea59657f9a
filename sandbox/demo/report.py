"""What the demo shows: progress, one document before and after, a table, and the last line in JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.demo.agents import DemoAgent
    from sandbox.demo.check import Tally, Verdict
    from sandbox.demo.documents import Document

_BAR = 30
_LINE_EVERY_SECONDS = 2.0
_VALUE_WIDTH = 96
_PROBLEMS_SHOWN = 10


@dataclass
class Progress:
    """One line that is written over on a terminal, or a line every two seconds elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    _last: float = -_LINE_EVERY_SECONDS
    _open: bool = False

    def show(
        self, seconds: float, *, inserted: int, enriched: int, in_flight: int | None, calls: int | None
    ) -> None:
        """Shows where things stand; the numbers of calls are None with a real model."""
        done = round(_BAR * enriched / inserted) if inserted else 0
        bar = f"{'█' * done}{'·' * (_BAR - done)}"
        text = f"  {seconds:5.1f} s  [{bar}] {inserted} inserted, {enriched} enriched"
        if in_flight is not None and calls is not None:
            text += f", {in_flight} calls in the air, {calls} in all"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{text}")
            self._open = True
        elif seconds - self._last >= _LINE_EVERY_SECONDS:
            self.stream.write(f"{text}\n")
            self._last = seconds
        self.stream.flush()

    def say(self, text: str) -> None:
        """Writes a line of its own."""
        self.stream.write(f"{chr(10) if self._open else ''}{text}\n")
        self._open = False
        self.stream.flush()


def before_and_after(agent: DemoAgent, before: Document, after: Document) -> str:
    """One document as it was inserted and as it is now."""
    new = [name for name in after if name not in before]
    lines = ["", f"One document of {agent.namespace}, as it was inserted:", *_fields(before, list(before))]
    lines += ["", f"and after the agent {agent.id}:", *_fields(after, new)]
    return "\n".join(lines)


def summary(agents: Sequence[DemoAgent], verdict: Verdict) -> str:
    """The table, and what was found to be wrong."""
    head = _cells("collection", "agent", "inserted", "deleted", "matching", "enriched", "lost")
    rows = [_row(str(agent.namespace), agent.id, verdict.by_namespace[agent.namespace]) for agent in agents]
    lines = ["", head, "  " + "─" * (len(head) - 2), *rows, _row("together", "", verdict.total), ""]
    lines.append(
        f"  {verdict.model_calls} model calls, {verdict.permitted_repeats} of them repeats of calls that the "
        f"kill cut off; {verdict.doubled} doubled"
    )
    shown = verdict.problems[:_PROBLEMS_SHOWN]
    lines += [f"  ✗ {problem}" for problem in shown]
    if len(verdict.problems) > len(shown):
        lines.append(f"  ✗ and {len(verdict.problems) - len(shown)} more")
    return "\n".join(lines)


def last_line(verdict: Verdict, *, seconds: float) -> str:
    """The JSON object that scripts read."""
    return json.dumps(
        {
            "inserted": verdict.total.inserted,
            "matching": verdict.total.matching,
            "enriched": verdict.total.enriched,
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "model_calls": verdict.model_calls,
            "seconds": round(seconds, 1),
        }
    )


def _row(name: str, agent: str, tally: Tally) -> str:
    lost = tally.matching - tally.enriched
    return _cells(name, agent, tally.inserted, tally.deleted, tally.matching, tally.enriched, lost)


def _cells(name: str, agent: str, *values: object) -> str:
    return f"  {name:<20} {agent:<16}" + "".join(f" {value!s:>8}" for value in values)


def _fields(document: Document, names: list[str], indent: str = "  ") -> list[str]:
    lines: list[str] = []
    for name in names:
        value: Any = document[name]
        if isinstance(value, dict):
            lines.append(f"{indent}{name}:")
            lines += _fields(value, list(value), indent + "  ")
        else:
            text = str(value)
            lines.append(
                f"{indent}{name}: {text if len(text) <= _VALUE_WIDTH else text[:_VALUE_WIDTH] + '…'}"
            )
    return lines
