"""The pages of the documentation, and the code that stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
PAGES: Final = (README, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
"""What people wrote; docs/reference is written from the code, and docs/adr is history."""

_NOT_RUN: Final = re.compile(r"<!-- not run: (\S.+) -->")
_PROMPT: Final = "$ "


@dataclass(frozen=True)
class Step:
    """A command, and the output that is shown below it."""

    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A block of code with the place where it stands; the excuse says why it cannot be run."""

    place: str
    language: str
    lines: tuple[str, ...]
    excuse: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(f"{line}\n" for line in self.lines)

    def steps(self) -> list[Step]:
        """The commands of a console, each behind a `$` and going on behind a backslash."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.lines if self.language == "console" else ():
            if line.startswith(_PROMPT):
                found.append(([line.removeprefix(_PROMPT)], []))
            elif not found[-1][1] and found[-1][0][-1].endswith("\\"):
                found[-1][0].append(line)
            else:
                found[-1][1].append(line)
        return [Step("\n".join(command), tuple(shown)) for command, shown in found]


def blocks(text: str, *, page: str) -> Iterator[Block]:
    """The blocks of a page in their order; one that is indented, or not named, has no language."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        start = number
        if lines[start].startswith("```"):
            number = lines.index("```", start + 1)
            inside = tuple(lines[start + 1 : number])
            excuse = _NOT_RUN.fullmatch(lines[start - 1]) if start else None
            yield Block(
                f"{page}:{start + 1}", lines[start].removeprefix("```"), inside, excuse[1] if excuse else ""
            )
        elif lines[start].startswith("    ") and not lines[start - 1].strip():
            while number + 1 < len(lines) and lines[number + 1].startswith("    "):
                number += 1
            yield Block(f"{page}:{start + 1}", "", tuple(lines[start : number + 1]))
        number += 1


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page that exists."""
    return [*blocks(page.read_text(encoding="utf-8"), page=str(page.relative_to(ROOT)))]


def spans_of(page: Path) -> list[str]:
    """The code within sentences; a code may go on in the next line."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def commands_of(page: Path) -> list[str]:
    """The command lines of `mongoclaw` on a page: in sentences and in consoles."""
    consoles = [step.command for block in blocks_of(page) for step in block.steps()]
    lines = [line.replace("\\\n", " ").partition("  #")[0] for line in consoles]
    parts = [part.strip() for line in [*spans_of(page), *lines] for part in re.split(r" [|>] ", line)]
    named = [part.partition("mongoclaw ")[2] for part in parts if re.match(r"(.* )?mongoclaw [a-z]", part)]
    return sorted({f"mongoclaw {words}" for words in named})


def calls_of(page: Path) -> list[tuple[str, str]]:
    """The calls of the HTTP API on a page, as method and path: in sentences, and those of `curl`."""
    said = [re.fullmatch(r"([A-Z]+) (/api/[^?]+)(\?.*)?", span) for span in spans_of(page)]
    consoles = [step.command for block in blocks_of(page) for step in block.steps()]
    typed = [
        (line, re.search(r"https?://[^/]+(/api/[^?\s\"']+)", line)) for line in consoles if "curl" in line
    ]
    return [(found[1], found[2]) for found in said if found] + [
        (_method(line), found[1]) for line, found in typed if found
    ]


def _method(curl: str) -> str:
    given = re.search(r"(?:-X|--request) ([A-Z]+)", curl)
    return given[1] if given else "POST" if re.search(r" (-d|--data\S*) ", curl) else "GET"
