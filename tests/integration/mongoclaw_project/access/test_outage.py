"""What everybody is answered while a database is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from structlog.testing import capture_logs

from agents_app import listing
from executions_app import catalog
from executions_app.models import Execution
from executions_app.triggers import documents
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member
from tests.integration.mongoclaw_project.access.routes import PEOPLE, PUBLIC, TABLE, Ids, ask
from tests.integration.mongoclaw_project.access.test_routes import signed_in

EVERYTHING = ("read", "operate", "write", "admin")
SETTINGS_KEY = "a key of the settings of 32 signs"
TOLD = {"detail": "The SQL database cannot be asked now"}


@pytest.fixture
def sql_away(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks for SQL finds no server, or no file."""
    _close()
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict, "NAME", "/nowhere/at/all.sqlite3")
    else:
        monkeypatch.setitem(connection.settings_dict, "PORT", "9")
        monkeypatch.setitem(connection.settings_dict["OPTIONS"]["pool"], "timeout", 0.05)
    yield
    _close()
    monkeypatch.undo()


def _close() -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]


@pytest.fixture
def with_key(ids: Ids) -> Client:
    """Whoever may everything; the key is looked up in SQL."""
    return client_with(key_of(member("owner", "admin"), *EVERYTHING))


@pytest.fixture
def at_the_page(ids: Ids) -> Client:
    """Somebody who is signed in."""
    return signed_in("olga", "operator")


def test_every_route_answers_503_while_sql_is_away_and_says_when_to_ask_again(
    ids: Ids, with_key: Client, sql_away: None
) -> None:
    for line, rule in TABLE.items():
        if rule.level is not PUBLIC and line != "GET metrics":
            answer = ask(with_key, line, rule, ids)
            assert (answer.status_code, answer.json(), answer["Retry-After"]) == (503, TOLD, "5"), line


def test_a_view_that_meets_the_outage_itself_answers_alike(ids: Ids, given: Given, sql_away: None) -> None:
    given(SECURITY__API_KEYS=SETTINGS_KEY)  # known without SQL
    answers = {
        line: ask(client_with(SETTINGS_KEY), line, rule, ids).status_code
        for line, rule in TABLE.items()
        if rule.level is not PUBLIC
    }
    assert {status for status in answers.values() if status >= 500} == {503}
    assert list(answers.values()).count(503) > 40


def test_an_outage_is_one_line_of_the_log_without_the_drivers_words(
    ids: Ids, with_key: Client, sql_away: None, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        with_key.get("/api/v1/agents")
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["event"], line["reason"]) == ("http.outage", TOLD["detail"])
    assert "nowhere" not in str(line)
    assert not [record for record in caplog.records if record.name == "django.request"]


def test_pages_say_calmly_that_they_are_not_available(ids: Ids, at_the_page: Client, sql_away: None) -> None:
    for _level, addresses in PEOPLE.values():
        for address in addresses[:1]:
            answer = at_the_page.get(f"/{address}")
            assert (answer.status_code, answer["Retry-After"]) == (503, "5"), address
            assert "X-Console" not in answer  # the page keeps the figures that it has
    assert "This page asks again by itself" in at_the_page.get("/ui/").content.decode()
    posted = at_the_page.post("/ui/actions/enable", {"agent": "triage"}).content.decode()
    assert "Nothing was changed" in posted


def test_a_mistake_of_ours_in_a_statement_is_no_outage(
    with_key: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_for_what_is_not_there(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM never_made")

    monkeypatch.setattr(listing, "agents", ask_for_what_is_not_there)
    with_key.raise_request_exception = False
    assert with_key.get("/api/v1/agents").status_code == 500


def test_health_says_why(ids: Ids, sql_away: None) -> None:
    checks = Client().get("/health/ready").json()["checks"]
    assert checks["database"] == {**checks["database"], "status": "unhealthy", "error": "cannot be reached"}


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite")
def test_whoever_writes_to_a_locked_file_is_told_to_ask_again_and_whoever_reads_is_answered(
    ids: Ids, with_key: Client
) -> None:
    path = str(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 20")
    locking = sqlite3.connect(path, isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")

    refused = with_key.post("/api/v1/agents/triage/enable")
    read = with_key.get("/api/v1/agents")

    locking.close()
    assert (refused.status_code, refused.json(), refused["Retry-After"]) == (503, TOLD, "5")
    assert read.status_code == 200
    assert with_key.post("/api/v1/agents/triage/enable").status_code == 200


def test_without_mongodb_what_needs_it_is_503_and_no_run_is_on_record(
    ids: Ids, with_key: Client, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(MONGODB__URI="mongodb://127.0.0.1:9/?directConnection=true")
    for module in (catalog, documents):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    before = Execution.objects.count()
    for line in ("GET api/v1/catalog/collection-profile", "POST api/v1/webhooks/trigger/<str:agent_id>"):
        answer = ask(with_key, line, TABLE[line], ids)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5"), line
        assert answer.json() == {"detail": "MongoDB cannot be asked now"}
    assert Execution.objects.count() == before
