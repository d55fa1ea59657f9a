"""What the child processes print: prefixed on the terminal or kept in files, the last lines remembered."""

from __future__ import annotations

import threading
from collections import deque
from typing import IO, TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from pathlib import Path

_LAST_LINES = 40
_COLOURS = (36, 32, 33, 35, 34, 31)


class Sink(Protocol):
    """Where lines go."""

    def write(self, name: str, line: str) -> None:
        """Takes one line, without its end, of the named child; called from several threads."""


class TerminalSink:
    """Writes `name | line`, with a colour per name on a terminal only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty()
        self._names: list[str] = []
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        """Writes the line at once."""
        with self._lock:
            self._stream.write(f"{self._prefix(name)} {line}\n")
            self._stream.flush()

    def _prefix(self, name: str) -> str:
        if name not in self._names:
            self._names.append(name)
        text = f"{name:<8}|"
        if not self._colour:
            return text
        return f"\x1b[{_COLOURS[self._names.index(name) % len(_COLOURS)]}m{text}\x1b[0m"


class FileSink:
    """Writes each child's lines into `<name>.log` in one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._files: dict[str, TextIO] = {}
        self._lock = threading.Lock()

    def write(self, name: str, line: str) -> None:
        """Writes the line at once, so that it is there after a crash."""
        with self._lock:
            if name not in self._files:
                self._files[name] = (self._directory / f"{name}.log").open("w", encoding="utf-8")
            self._files[name].write(line + "\n")
            self._files[name].flush()

    def close(self) -> None:
        """Closes the files; later lines open them anew."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()


class OutputReader:
    """Reads one child's output to its end on its own thread, so that the child never waits for a reader."""

    def __init__(self, name: str, stream: IO[bytes], sink: Sink) -> None:
        self._name = name
        self._stream = stream
        self._sink = sink
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._thread = threading.Thread(target=self._read, name=f"output-{name}", daemon=True)
        self._thread.start()

    def last_lines(self, *, seconds: float = 2.0) -> tuple[str, ...]:
        """The last lines printed, after waiting `seconds` at most for the end of the output."""
        self._thread.join(seconds)
        return tuple(self._last)

    def _read(self) -> None:
        with self._stream:
            for raw in self._stream:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                self._last.append(line)
                self._sink.write(self._name, line)
