"""What was done to the system and when, as lines of JSON: to be read beside the logs of its processes."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

KILLS: Final = frozenset({"kill", "pause", "terminate"})
"""SIGKILL, SIGSTOP and SIGTERM of our processes; those of the broker and the mongods count too."""
_SERVERS: Final = ("broker_killed", "broker_emptied", "broker_stopped", "broker_paused", "mongod_killed")


class Journal:
    """Counts the strikes and writes each down at once; several threads may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.struck: Counter[str] = Counter()
        self._turn = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    @property
    def kills(self) -> int:
        """How many processes were killed, stopped or paused."""
        return sum(count for name, count in self.struck.items() if name in KILLS or name in _SERVERS)

    def note(self, strike: str, what: str) -> None:
        """Write a strike down."""
        self.struck[strike] += 1
        self.write(strike=strike, what=what, number=self.struck.total())

    def write(self, **facts: object) -> None:
        """Write a line."""
        with self._turn:
            self._file.write(json.dumps({"at": datetime.now(UTC).isoformat(), **facts}) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
