"""The studio in a real browser, by mouse: from an example over a mistake and a trial to a published agent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Response, Route, sync_playwright
from pymongo.database import Database
from pytest_django.live_server_helper import LiveServer

from mongoclaw_project.config import Loaded, load_settings, loading
from sandbox.model.client import ModelControl

PATIENCE_MS = 60_000


@pytest.fixture
def browser() -> str:
    """Debian's chromium."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed, and CI must test the admin's editor in a browser")
        pytest.skip("chromium is not installed")
    return found


@pytest.fixture
def helpdesk(
    mongo_db: Database[Any],
    mongo_uri: str,
    redis_url: str,
    sandbox_model: ModelControl,
    monkeypatch: pytest.MonkeyPatch,
) -> Database[Any]:
    """A database with one ticket, and settings that lead to it."""
    mongo_db.tickets.insert_one({"status": "open", "body": "My kettle leaks"})
    values = {"MONGODB__URI": mongo_uri, "REDIS__URL": redis_url, "AI__SANDBOX_URL": sandbox_model.url}
    settings = load_settings({f"MONGOCLAW_{name}": value for name, value in values.items()})
    monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))
    return mongo_db


@pytest.fixture
def page(browser: str, live_server: LiveServer) -> Iterator[Page]:
    """A window at the login page, under the strictest policy for scripts and styles."""
    User.objects.create_superuser("ada", password="secret")
    with sync_playwright() as play:
        window = play.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page()
        window.set_default_timeout(PATIENCE_MS)
        window.route("**/admin/**", _strictly)
        window.goto(f"{live_server.url}/admin/agents_app/agent/add/")
        yield window


@pytest.mark.once
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_an_example_is_mended_tried_and_published_by_mouse(page: Page, helpdesk: Database[Any]) -> None:
    errors: list[str] = []
    failed: list[Response] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda response: failed.append(response) if response.status >= 400 else None)
    page.fill("#id_username", "ada")
    page.fill("#id_password", "secret")
    page.click("input[type=submit]")

    page.click("a[href='?example=support']")
    page.wait_for_selector(".mc-findings li")
    _replace(page, "database: helpdesk", f"databas: {helpdesk.name}")
    page.wait_for_selector(".mc-problem:has-text('did you mean watch.database?')")
    _replace(page, "databas:", "database:")
    page.wait_for_selector(".mc-problem", state="detached")
    page.click("text=Try on a document…")
    page.click("text=Render the prompt")
    page.click("text=Ask the sandbox")
    page.wait_for_selector("h2:has-text('Update that would be made')")
    page.click("button:has-text('Publish')")
    page.wait_for_selector("text=Version 1 published.")

    assert (errors, failed) == ([], [])
    assert helpdesk.tickets.find_one({"ai": {"$exists": True}}) is None


def _strictly(route: Route) -> None:
    """Serve a page so that nothing inline in it runs or has a style."""
    response = route.fetch(max_redirects=0)
    policy = "default-src 'self'; img-src 'self' data:"
    route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})


def _replace(page: Page, old: str, new: str) -> None:
    """Edit the text as by hand; the editor asks the server on its own."""
    page.evaluate(
        """([old, added]) => {
          const mirror = document.querySelector(".CodeMirror").CodeMirror;
          mirror.setValue(mirror.getValue().replace(old, added));
        }""",
        [old, new],
    )
    page.wait_for_selector(".mc-problem" if "databas:" in new else "text=No problems found.")
