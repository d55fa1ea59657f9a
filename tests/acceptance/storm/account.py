"""The model server's account of its calls, fetched now and then: it remembers the last twenty thousand."""

from __future__ import annotations

from typing import Final

from sandbox.model.client import ModelControl
from tests.acceptance.storm.evidence import Call, question_of

FETCHED_EVERY: Final = 240.0
"""Seconds in which no storm makes twenty thousand calls."""


class Account:
    """All calls so far, the newest state of each."""

    def __init__(self, model: ModelControl) -> None:
        self._model = model
        self._calls: dict[tuple[str, float], Call] = {}

    def fetch(self) -> None:
        """Take over what the model remembers."""
        for entry in self._model.log():
            self._calls[entry["hash"], entry["started"]] = Call(
                question_of(entry["prompt"]), entry["started"], entry["ended"], entry["outcome"]
            )

    def calls(self) -> tuple[Call, ...]:
        """Fetch the rest and give all of them."""
        self.fetch()
        return tuple(self._calls.values())
