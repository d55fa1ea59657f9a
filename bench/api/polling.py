"""The console in a browser that stands open: all of its panels, again every few seconds."""

from __future__ import annotations

import time
from typing import Final

from bench.api.asking import Asker
from bench.browser import signed_in
from bench.scenarios import percentiles

PANELS: Final = {
    name: name
    for name in (
        "summary",
        "charts",
        "agents",
        "letters",
        "runs",
        "processes",
        "holds",
        "failures",
        "spending",
    )
} | {"pending_runs": "runs?status=pending", "charts_of_a_day": "charts?span=day"}
ROUNDS: Final = 40
EVERY_SECONDS: Final = 4.0


def polled(address: str) -> dict[str, dict[str, float]]:
    """Ask as the administrator for each panel, round after round; the first is not counted. Returns milliseconds."""
    asker = Asker(address, f"Cookie: {signed_in(address).cookies}")
    found: dict[str, list[float]] = {name: [] for name in PANELS}
    for number in range(ROUNDS + 1):
        begun = time.monotonic()
        for name, path in PANELS.items():
            taken = asker.milliseconds(f"/ui/panels/{path}")
            if number:
                found[name].append(taken)
        time.sleep(max(0.0, begun + EVERY_SECONDS - time.monotonic()))
    asker.close()
    return {name: percentiles(each) for name, each in found.items()}
