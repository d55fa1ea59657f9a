"""Somebody who reads the pages and types what they show, on a system of his own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.pages import Block, Step

# Ids, addresses and secrets are others than on the page, and are the same again further down.
_NAMES: Final = r"mck_[0-9a-f]{8}(?:_…)?|dev_…|127\.0\.0\.1:\d+|\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,24}\b"
_TOKENS: Final = re.compile(rf"(?P<name>{_NAMES})|(?P<number>\d[\d,.]*)|(?P<rule>─+)|(?P<space>\s+)|(?P<any>…)")
_SAME_KIND: Final = {"name": r"([\w.:-]+)", "number": r"[\d,.]+", "rule": "─+", "space": r"\s+", "any": "(?s:.*)"}
_ANSWERED: Final = re.compile(r"(\[y/N\]:) ")
# Assignments of one step are there in the next, as in a terminal.
_SCRIPT: Final = 'set -a; . "$KEPT"\n{command}\nended=$?; export -p > "$KEPT"; exit $ended\n'


class Reader:
    """Types what is shown, with the names that were given to him in place of those on the page."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.known = {"localhost:8000": "127.0.0.1:8000", "-2h": "-2s", "-1h": "-0s"}
        self._kept = folder / "kept.sh"
        self._kept.touch()
        self._environ = environ | {"KEPT": str(self._kept)}

    def own(self, text: str) -> str:
        """The text with what is his in place of what stands on the page."""
        for shown, own in self.known.items():
            text = text.replace(shown, own)
        return text

    def do(self, block: Block) -> Iterator[str]:
        """Type the commands of a block; gives what went otherwise than shown."""
        for step in block.steps():
            yield from (f"{block.place}: {step.command}\n{trouble}" for trouble in self._do(step))

    def _do(self, step: Step) -> Iterator[str]:
        script = _SCRIPT.format(command=self.own(step.command))
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self._environ,
            input="y\n" * 3,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        printed = _ANSWERED.sub(r"\1 y\n", done.stdout)
        if done.returncode:
            yield f"exit code {done.returncode}\n{printed}"
        elif step.shown and not self.recognises("\n".join(step.shown), printed):
            yield f"printed instead:\n{printed}"

    def recognises(self, shown: str, printed: str) -> bool:
        """Whether the output is what is shown but for ids, times and figures; remembers the names in it."""
        pattern, names, end = "", [], 0
        for token in _TOKENS.finditer(shown):
            kind = str(token.lastgroup)
            names += [token[0]] if kind == "name" else []
            pattern += re.escape(shown[end : token.start()]) + _SAME_KIND[kind]
            end = token.end()
        found = re.fullmatch(pattern + re.escape(shown[end:]), printed.strip())
        if found is None:
            return False
        for name, own in zip(names, found.groups(), strict=True):
            self._remember(name, own)
        return True

    def _remember(self, name: str, own: str) -> None:
        self.known.setdefault(name, own)


def environment(own: dict[str, str], *, venv: Path) -> dict[str, str]:
    """The environment of a terminal in which the virtual environment is active."""
    return own | {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "110"}
