"""Somebody who reads the pages and types what they show, on a system of his own."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from pymongo.collection import Collection

from tests.acceptance.warm_commands import FUNCTION
from tests.pages import Block, Step

VENV: Final = Path(sys.prefix)
_ID: Final = re.compile(r"[0-9a-f]{8}")
# Ids, addresses and secrets are others than on the page, and are the same again further down.
_NAMES: Final = r"mck_[0-9a-f]{8}(?:_…)?|dev_…|127\.0\.0\.1:\d+|\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,24}\b"
_TOKENS: Final = re.compile(
    rf"(?P<name>{_NAMES})|(?P<number>\d[\d,.]*)|(?P<rule>─+)|(?P<space>\s+)|(?P<any>…)"
)
_SAME_KIND: Final = {
    "name": r"([\w.:-]+)",
    "number": r"[\d,.]+",
    "rule": "─+",
    "space": r"\s+",
    "any": "(?s:.*)",
}
_ANSWERED: Final = re.compile(r"(\[y/N\]:) ")
# Assignments of one step are there in the next, as in a terminal.
_SCRIPT: Final = 'set -a; . "$KEPT"\n{command}\nended=$?; export -p > "$KEPT"; exit $ended\n'


class Reader:
    """Types what is shown, with the names that were given to him in place of those on the page."""

    def __init__(self, folder: Path, environ: dict[str, str], known: dict[str, str]) -> None:
        self.folder = folder
        self.known = known
        self._names: dict[str, Any] = {}
        kept = folder / "kept.sh"
        kept.touch()
        self._environ = environ | {
            "KEPT": str(kept),
            "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def own(self, text: str) -> str:
        """The text with what is his in place of what stands on the page."""
        for shown in sorted(self.known, key=len, reverse=True):
            text = text.replace(shown, self.known[shown])
        return text

    def do(self, step: Step) -> str:
        """Type a command; gives what went otherwise than shown, and nothing if all is so."""
        done = self.type(step.command)
        printed = _ANSWERED.sub(r"\1 y\n", done.stdout)
        if done.returncode:
            return f"exit code {done.returncode}\n{printed}"
        is_so = not step.shown or self.recognises("\n".join(step.shown), printed)
        return "" if is_so else f"printed instead:\n{printed}"

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type a command, and yes to what it asks."""
        return subprocess.run(
            ["bash", "-c", FUNCTION + _SCRIPT.format(command=self.own(command))],
            cwd=self.folder,
            env=self._environ,
            input="y\n" * 3,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

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
            self.known |= {name: own}
            if _ID.fullmatch(name):  # its first characters are enough
                self.known |= {name[:6]: own[:6]}
        return True

    def calculate(self, block: Block) -> bool:
        """Run a block of Python, which knows the names of earlier ones; false if it gives what is not shown.

        What is printed has the shape that is shown; a model's words are others each time.
        """
        if not block.text.startswith(">>>"):
            exec(self.own(block.text), self._names)
            return True
        for example in doctest.DocTestParser().get_examples(block.text):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(self.own(example.source), self._names)
            if example.want and shape_of(printed.getvalue()) != shape_of(example.want):
                return False
        return True

    def leave(self) -> None:
        """Close what Python has opened."""
        for value in self._names.values():
            if isinstance(value, Collection):
                value.database.client.close()


def shape_of(printed: str) -> dict[str, type]:
    """The fields of a document and the types of their values."""
    return {name: type(value) for name, value in ast.literal_eval(printed).items()}
