"""What the doctor finds, and how it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog

from mongoclaw_project.cli.output import FAILURE, SUCCESS

log = structlog.get_logger(__name__)


class Level(StrEnum):
    """How bad it is. `fail` keeps MongoClaw from working; `warn` will, or makes it work worse."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


SIGNS: Final = {Level.OK: SUCCESS, Level.WARN: "!", Level.FAIL: FAILURE}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do; empty where nothing need be done."""

    level: Level
    message: str
    remedy: str = ""


Examination = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the system with its findings."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return worst(finding.level for finding in self.findings)


def good(message: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, message)


def doubtful(message: str, remedy: str) -> Finding:
    """It works, but should be looked at."""
    return Finding(Level.WARN, message, remedy)


def bad(message: str, remedy: str) -> Finding:
    """It keeps MongoClaw from working."""
    return Finding(Level.FAIL, message, remedy)


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels; `ok` if there are none."""
    return max(levels, key=list(Level).index, default=Level.OK)


def examine(name: str, examination: Examination) -> Area:
    """Look at one area. A mistake in the looking is a finding too, never the end of the visit."""
    return Area(name, tuple(_collected(examination)))


def told(area: Area) -> Iterator[str]:
    """The lines that a person reads."""
    yield area.name
    for finding in area.findings:
        yield f"  {SIGNS[finding.level]} {finding.message}"
        if finding.remedy:
            yield f"    → {finding.remedy}"


def as_json(area: Area) -> list[dict[str, Any]]:
    """The objects that a program reads."""
    return [
        {
            "area": area.name,
            "level": found.level.value,
            "message": found.message,
            "remedy": found.remedy or None,
        }
        for found in area.findings
    ]


def _collected(examination: Examination) -> Iterator[Finding]:
    try:
        yield from examination()
    except Exception as error:  # the other areas must be seen whatever happens in this one
        log.debug("doctor.examination_failed", exc_info=True)
        text = " ".join(str(error).split()) or "no message"
        yield bad(f"could not be examined: {type(error).__name__}: {text}", "report this; --debug shows more")
