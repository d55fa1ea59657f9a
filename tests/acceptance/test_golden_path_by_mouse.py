"""The way of a new user through a real browser and real processes, under the content policy that the server sets."""

from __future__ import annotations

import os
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect, sync_playwright

from sandbox.embedded.ports import reserved_port
from sandbox.waiting import wait_until
from tests.acceptance.conftest import Fleet
from watcher.matching.matcher import ENABLING_SLACK_SECONDS

CHROMIUM: Final = shutil.which("chromium")
PASSWORD: Final = "a-horse-and-a-battery"
PATIENCE_MS: Final = 30_000
FIRST: Final = "My kettle leaks"
SECOND: Final = "The invoice is wrong"


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


@pytest.fixture
def page(web: str) -> Iterator[Page]:  # closed before the server ends, which it polls
    """A page of a browser; whatever its console complains of, and every answer that is an error, fails the test."""
    if CHROMIUM is None:
        told = "chromium was not found: on Debian, apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def heard(answer: Response) -> None:
        if answer.status >= 400:
            complaints.append(f"{answer.status} {answer.url}")

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", note)
        page.on("response", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert complaints == []


@pytest.mark.timeout(300)  # a browser beside a fleet, on a machine that does other things too
def test_from_the_login_over_an_example_to_a_result_and_a_dead_letter_run_again(
    page: Page, fleet: Fleet, web: str
) -> None:
    fleet.db.tickets.insert_one(ticket("before there was an agent", FIRST))
    inserted_at = time.monotonic()
    fleet.start()
    log_in(page, web)
    write_an_agent(page, fleet.db.name)
    # An agent takes up what came within its slack before it was enabled, for clocks that differ.
    fleet.wait_for(lambda: time.monotonic() - inserted_at > ENABLING_SLACK_SECONDS + 1)
    try_and_publish(page)
    assert fleet.db.tickets.count_documents({"ai": {"$exists": True}}) == 0

    page.get_by_role("link", name="Console").click()
    expect(page.locator("#overall")).to_have_text("All well", timeout=PATIENCE_MS)
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#panel-agents").get_by_role("link", name="support-triage")).to_be_visible()
    expect(page.locator("#panel-letters")).to_contain_text("No dead letters")
    fleet.db.tickets.insert_one(ticket("ticket-1", SECOND))
    see_the_result(page)

    fleet.model.script("unauthorized", times=1)
    fleet.db.tickets.insert_one(ticket("ticket-2", SECOND))
    run_the_dead_letter_again(page)
    assert fleet.db.tickets.count_documents({"ai.summary": {"$exists": True}}) == 2

    pause_and_resume_all(page)
    assert fleet.rows('SELECT scope, "by", why, lifted_by FROM executions_app_hold') == [
        ("", "olga", "the bill", "olga")
    ]


def ticket(key: str, body: str) -> dict[str, Any]:
    return {"_id": key, "status": "open", "subject": "Help", "body": body}


def log_in(page: Page, web: str) -> None:
    page.goto(web)
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def write_an_agent(page: Page, database: str) -> None:
    """Take an example, make a mistake in it, see the mistake and mend it."""
    page.get_by_role("link", name="write one in the admin").click()
    page.get_by_role("link", name="Support triage").click()
    expect(page.locator(".mc-findings li").first).to_be_visible()
    rewrite(page, "database: helpdesk", f"databas: {database}")
    expect(page.locator(".mc-problem", has_text="did you mean watch.database?")).to_be_visible()
    rewrite(page, "databas: ", f"database: {database}")
    expect(page.locator(".mc-problem")).to_have_count(0)
    expect(page.get_by_text("No problems found.")).to_be_visible()


def rewrite(page: Page, old: str, new: str) -> None:
    """Go to a line of the editor and write another in its place."""
    line: Locator = page.locator(".CodeMirror-line", has_text=old)
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type(new)


def try_and_publish(page: Page) -> None:
    page.get_by_role("button", name="Try on a document…").click()
    page.get_by_role("button", name="Render the prompt").click()
    expect(page.locator(".trace-text", has_text=FIRST).first).to_be_visible()
    page.get_by_role("button", name="Ask the sandbox").click()
    expect(page.get_by_role("heading", name="Update that would be made")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 published.")).to_be_visible()


def see_the_result(page: Page) -> None:
    """Open the run in the console: what the model was given, what it answered, where it was written."""
    run = page.locator("#panel-runs tbody tr").first
    expect(run).to_contain_text("completed", timeout=PATIENCE_MS)
    run.get_by_role("button").click()
    drawer = page.locator("#drawer")
    expect(drawer).to_contain_text(SECOND)
    expect(drawer).to_contain_text('"summary"')
    # What somebody has opened outlives the polls that go on beneath it.
    drawer.get_by_text("Provenance in the document").click()
    with page.expect_response(re.compile("/ui/panels/runs")):
        pass
    expect(drawer.get_by_text("source_agent_id")).to_be_visible()
    drawer.get_by_role("button", name="Close").click()


def run_the_dead_letter_again(page: Page) -> None:
    letters = page.locator("#panel-letters")
    letters.get_by_role("button", name="Run ticket-2 again").click()
    page.get_by_role("button", name="Run again", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("Will run again: 1.")
    expect(letters).to_contain_text("No dead letters", timeout=PATIENCE_MS)
    run = page.locator("#panel-runs tbody tr", has_text="ticket-2")
    expect(run).to_contain_text("completed", timeout=PATIENCE_MS)


def pause_and_resume_all(page: Page) -> None:
    held = page.locator("#held")
    page.get_by_role("button", name="Pause all agents").click()
    page.get_by_label("Why, for the record").fill("the bill")
    page.get_by_role("button", name="Pause all", exact=True).click()
    expect(held).to_contain_text("olga paused them")
    expect(held).to_contain_text("the bill")
    held.get_by_role("button", name="Resume all").click()
    page.locator("#question").get_by_role("button", name="Resume all").click()
    expect(held).to_be_empty()
