"""One call done by another thread while this one does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Errand(threading.Thread, Generic[Result]):
    """Starts at once. A daemon, so that a server that has frozen keeps no process from its end."""

    def __init__(self, call: Callable[[], Result], *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._call = call
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do the call and keep what it gives or raises."""
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._error = error

    def result(self) -> Result:
        """Wait for the end of the call; returns what it returned. Raises what it raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
