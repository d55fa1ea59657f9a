"""What a trial shows: headed texts as it goes on, or one JSON object at its end."""

from __future__ import annotations

import json
from typing import Any

import click

from mongoclaw_project.cli.output import to_json, wants_json
from mongoclaw_project.cli.printable import printable


class Sheet:
    """Collects results; people see each at once, programs all of them together."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}

    def add(self, key: str, value: Any, *, title: str | None = None) -> None:
        """Put a result down. Without a title only programs see it."""
        self.data[key] = value
        if title is not None and not wants_json():
            text = (
                value
                if isinstance(value, str)
                else json.dumps(value, indent=2, ensure_ascii=False, default=str)
            )
            click.echo(printable(f"── {title}\n{text}\n"))

    def say(self, text: str) -> None:
        """Tell people something that programs read from the data."""
        if not wants_json():
            click.echo(printable(text))

    def finish(self) -> None:
        """Print the object for programs."""
        if wants_json():
            click.echo(to_json(self.data))
