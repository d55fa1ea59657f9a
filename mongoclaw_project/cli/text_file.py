"""Reading the file that an option names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from mongoclaw_project.cli.output import fail

LARGEST: Final = 20_000_000
"""Bytes; a document of MongoDB has fewer."""


def read_text(path: str) -> str:
    """Read a text file, or standard input if the path is `-`. Raises CommandFailed if it cannot be read."""
    try:
        raw = sys.stdin.buffer.read(LARGEST) if path == "-" else _bytes(Path(path))
        return raw.decode("utf-8")
    except FileNotFoundError:
        fail(f"There is no file {path}")
    except UnicodeDecodeError:
        fail(f"{path} is not text in UTF-8")
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST)
