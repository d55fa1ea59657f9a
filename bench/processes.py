"""What a process has used, as the kernel counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds of a process with its descendants, and its resident memory in MB, now and at its highest."""

    cpu_seconds: float
    rss_mb: float
    peak_rss_mb: float


def usage_of(pid: int) -> Usage:
    """Read a process's usage; CPU and memory of its children are added."""
    family = [pid, *_descendants(pid)]
    sizes = [_memory(member) for member in family]
    return Usage(
        cpu_seconds=round(sum(_cpu(member) for member in family), 2),
        rss_mb=round(max(now for now, _ in sizes), 1),
        peak_rss_mb=round(max(peak for _, peak in sizes), 1),
    )


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in children for found in (int(child), *_descendants(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int) -> tuple[float, float]:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024
