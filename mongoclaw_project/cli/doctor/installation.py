"""Examining the settings, with Django's own checks."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks

from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.config import current


def examine_settings() -> Iterator[Finding]:
    """Run all system checks; ours look at the settings."""
    found = [message for message in checks.run_checks() if message.level >= checks.WARNING]
    if not found:
        yield good(f"the settings fit together; this is {current().environment.value}")
    for message in found:
        say = bad if message.level >= checks.ERROR else doubtful
        yield say(f"{message.msg} ({message.id})", message.hint or "see the check's documentation")
