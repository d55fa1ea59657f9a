"""The console by mouse, in a real browser, before real processes and the policy for content that the server sets."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import ConsoleMessage, Page, Route, expect, sync_playwright

from sandbox.embedded.ports import reserved_port
from sandbox.waiting import wait_until
from tests.acceptance.conftest import Fleet

CHROMIUM: Final = shutil.which("chromium")
POLICY: Final = "; ".join(
    ("default-src 'none'", *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")))
)
PASSWORD: Final = "a-horse-and-a-battery"
PATIENCE_MS: Final = 30_000


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser; whatever its console complains of fails the test."""
    if CHROMIUM is None:
        told = "chromium was not found: on Debian, apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert complaints == []


@pytest.fixture
def web(fleet: Fleet) -> str:
    """A web server with an administrator; returns its address."""
    fleet.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    fleet.cli("manage", "createsuperuser", "--noinput", "--username", "olga", "--email", "olga@example.com")
    with reserved_port(fleet.directory / "web.port") as port:
        listening = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        fleet.start_module("web", "mongoclaw_project", "server", "api", *listening)
        address = f"http://127.0.0.1:{port}"
        assert wait_until(lambda: _answers(address), seconds=60, poll=0.2), fleet.log("web")
    return address


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health/live", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def _with_policy(route: Route) -> None:
    answer = route.fetch(max_redirects=0)
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})


@pytest.mark.timeout(240)  # a browser beside a fleet, on a machine that does other things too
def test_a_failure_is_seen_and_its_dead_letter_run_again_by_mouse(page: Page, fleet: Fleet, web: str) -> None:
    fleet.publish()
    fleet.start()
    page.route(re.compile(r"/ui/$"), _with_policy)

    page.goto(web)
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    agents = page.locator("#panel-agents")
    expect(agents.get_by_role("link", name="support")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#overall")).to_have_text("All well", timeout=PATIENCE_MS)
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#panel-letters")).to_contain_text("No dead letters")

    fleet.model.script("unauthorized", times=1)
    fleet.insert(1)
    letters = page.locator("#panel-letters")
    expect(letters.get_by_role("button", name="Run 0 again")).to_be_visible(timeout=PATIENCE_MS)

    letters.get_by_role("button", name="Run 0 again").click()
    page.get_by_role("button", name="Run again", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Will run again: 1.")
    expect(letters).to_contain_text("No dead letters", timeout=PATIENCE_MS)

    run = page.locator("#panel-runs tbody tr").first
    expect(run).to_contain_text("completed", timeout=PATIENCE_MS)
    run.get_by_role("button").click()
    drawer = page.locator("#drawer")
    expect(drawer).to_contain_text("Sort this ticket: The invoice is wrong, number 0")
    expect(drawer).to_contain_text('"category"')
    # What somebody has opened outlives the polls that go on beneath it.
    drawer.get_by_text("Provenance in the document").click()
    with page.expect_response(re.compile("/ui/panels/runs")):
        pass
    expect(drawer.get_by_text("source_agent_id")).to_be_visible()
    assert fleet.enriched() == 1
