"""The console in a browser that stands open: all of its panels, again every few seconds."""

from __future__ import annotations

import time
from http.cookiejar import CookieJar
from typing import Final
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from bench.api.asking import Asker
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


def polled(address: str, user: str, password: str) -> dict[str, dict[str, float]]:
    """Ask for each panel in each round, after a first round that is not counted; returns their milliseconds."""
    asker = Asker(address, f"Cookie: {_session(address, user, password)}")
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


def _session(address: str, user: str, password: str) -> str:
    """Sign in as people do; returns the cookies."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    browser.open(f"{address}/ui/login", timeout=60).close()
    token = next(cookie.value for cookie in jar if "csrf" in cookie.name)
    form = {"username": user, "password": password, "csrfmiddlewaretoken": token or ""}
    sent = Request(f"{address}/ui/login", data=urlencode(form).encode(), headers={"Referer": address})  # noqa: S310  # loopback
    browser.open(sent, timeout=60).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
