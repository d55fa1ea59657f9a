"""`mongoclaw keys`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.mongoclaw_project.access.conftest import client_with, member
from tests.integration.mongoclaw_project.cli.conftest import Outcome, Run

SEEN = "/api/v1/backfills"


@pytest.fixture
def alice(db: None) -> User:
    return member("alice", "viewer")


def create(run: Run, *words: str) -> Outcome:
    return run("keys", "create", "--user", "alice", "--name", "Grafana", *words)


def test_a_key_is_made_shown_once_used_and_revoked(run: Run, alice: User) -> None:
    made = create(run, "--expires", "90d")
    assert (made.code, made.err[:38]) == (0, "This is the only time that mck_" + made.out[4:11]), made
    text = made.out.strip()
    assert client_with(text).get(SEEN).status_code == 200

    listed = run("keys", "list")
    assert text[:12] in listed.out
    assert text not in listed.out + run("keys", "list", "--json").out
    assert "Grafana" in listed.out

    assert run("keys", "revoke", text[:12]).code == 0
    assert client_with(text).get(SEEN).status_code == 401
    again = run("keys", "revoke", text[:12])
    assert (again.code, "was revoked at" in again.err) == (1, True)
    assert "No keys" in run("keys", "list").out
    assert "revoked" in run("keys", "list", "--all").out


def test_it_is_described_for_programs(run: Run, alice: User) -> None:
    words = ("--scope", "read", "--scope", "operate", "--agent", "triage", "--expires", "1d12h", "--json")
    made = create(run, *words)
    assert (made.data["scopes"], made.data["agents"]) == (["read", "operate"], ["triage"])
    assert made.data["key"].startswith(made.data["prefix"])
    ends = datetime.fromisoformat(made.data["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=35) < ends < timedelta(hours=37)
    assert "There is no agent 'triage' yet" in made.err
    [listed] = run("keys", "list", "--user", "alice", "--json").data["keys"]
    assert "key" not in listed
    assert (listed["state"], listed["last_used_at"]) == ("active", None)


def test_a_rotated_key_is_replaced_at_once_or_after_a_while(run: Run, alice: User) -> None:
    old = create(run).out.strip()
    new = run("keys", "rotate", old[:12], "--overlap", "1h").out.strip()
    assert [Client(headers={"X-API-Key": key}).get(SEEN).status_code for key in (old, new)] == [200, 200]
    newest = run("keys", "rotate", new[:12]).out.strip()
    assert [Client(headers={"X-API-Key": key}).get(SEEN).status_code for key in (new, newest)] == [401, 200]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("create", "--user", "bob", "--name", "x"), 1, "There is no user 'bob'"),
        (("create", "--user", "alice", "--name", " "), 1, "name: "),
        (("create", "--user", "alice", "--name", "x", "--scope", "root"), 2, "'root' is not one of"),
        (("create", "--user", "alice", "--name", "x", "--expires", "soon"), 2, "'soon' is no duration"),
        (("create", "--user", "alice", "--name", "x", "--expires", "0s"), 1, "must be in the future"),
        (("create", "--name", "x"), 2, "Missing option '--user'"),
        (("revoke", "mck_00000000"), 1, "No key begins with"),
        (("rotate", "m"), 1, "too short"),
    ],
)
def test_what_cannot_be_is_one_clear_error(
    run: Run, alice: User, words: tuple[str, ...], code: int, told: str
) -> None:
    wrong = run("keys", *words)
    assert (wrong.code, told in wrong.err) == (code, True), wrong.err
