"""What commands say of texts that are to be published: what is wrong with them, and what is probably not meant."""

from __future__ import annotations

from collections.abc import Iterable

from agents_app.errors import SpecInvalid
from mongoclaw_project.cli.output import note


def named(error: SpecInvalid, source: str) -> SpecInvalid:
    """Return the same error, a line for each problem, each with the name of its source."""
    lines = [f"{source}: {problem}" for problem in error.errors] or [f"{source}: {error}"]
    return SpecInvalid("\n".join(lines), errors=error.errors)


def warn(warnings: Iterable[str]) -> None:
    """Tell what was accepted and is probably not meant."""
    for warning in warnings:
        note(f"warning: {warning}")
