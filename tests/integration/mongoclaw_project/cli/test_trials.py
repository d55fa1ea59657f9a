"""`mongoclaw test`: trying the connections, the model, a prompt and a whole agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from sandbox.model.client import ModelControl
from tests.integration.mongoclaw_project.cli.conftest import Point, Run

TICKET = json.dumps(
    {"_id": {"$oid": "65f000000000000000000001"}, "status": "open", "text": "Where is my money?"}
)


@pytest.fixture
def support(run: Run, agent_file: Path) -> str:
    """A published agent."""
    assert run("agents", "create", "-f", str(agent_file)).code == 0
    return "support"


def test_connections_that_serve_are_a_line_each(run: Run) -> None:
    tested = run("test", "connection")

    assert tested.code == 0, tested.out
    assert [line.split(":")[0] for line in tested.out.splitlines()] == [
        "✓ MongoDB",
        "✓ Redis",
        "✓ SQL database",
    ]


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        (
            "MONGODB__URI",
            "mongodb://u:hunter2@127.0.0.1:9",
            "✗ MongoDB: 127.0.0.1:9 cannot be reached; start MongoDB",
        ),
        (
            "REDIS__URL",
            "redis://:hunter2@127.0.0.1:9/0",
            "✗ Redis: 127.0.0.1:9/0 cannot be reached; start Redis",
        ),
        ("MONGODB__URI", "mongodb://127.0.0.1:9/?badOption=1&w=-3", "✗ MongoDB: "),
    ],
)
def test_a_server_that_does_not_answer_fails_in_one_line_with_the_remedy(
    run: Run, point: Point, servers: dict[str, str], name: str, address: str, said: str
) -> None:
    point(**{**servers, name: address})

    tested = run("test", "connection")

    assert tested.code == 1
    assert said in tested.out
    assert "hunter2" not in tested.out + tested.err


def test_the_model_answers(run: Run) -> None:
    asked = run("test", "ai", "--provider", "sandbox", "--model", "sandbox-1")

    assert asked.code == 0
    assert asked.out.startswith("✓ AI provider connected\nResponse: ")
    assert "no language model" in asked.out


def test_without_a_key_the_model_cannot_be_asked_and_the_variable_is_named(
    run: Run, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    point()

    asked = run("test", "ai")

    assert (asked.code, asked.err) == (1, "✗ There is no API key for openai: set OPENAI_API_KEY\n")


def test_a_prompt_is_shown_with_what_it_depends_on(
    run: Run, support: str, sandbox_model: ModelControl
) -> None:
    shown = run("test", "prompt", support, "-d", TICKET, "--json").data

    assert shown["prompt"] == "Sort this ticket: Where is my money?"
    assert (shown["variables"], shown["reads"]) == (["document"], ["text"])
    assert sandbox_model.calls()["total"] == 0


def test_a_field_that_the_document_lacks_is_named(run: Run, support: str) -> None:
    shown = run("test", "prompt", support, "-d", '{"title": "x"}')

    assert shown.code == 1
    assert "text" in shown.err


@pytest.mark.parametrize("wrong", ["{", "[1]", "nothing"])
def test_what_is_no_document_is_refused(run: Run, support: str, wrong: str) -> None:
    tried = run("test", "prompt", support, "-d", wrong)

    assert tried.code == 1
    assert tried.err.startswith("✗ --document: ")


def test_an_agent_is_tried_up_to_the_update_and_nothing_is_written(
    run: Run, support: str, mongo_db: Database[Any]
) -> None:
    tried = run("test", "agent", support, "-d", TICKET, "--json")

    assert tried.code == 0, tried.err
    shown = tried.data
    assert shown["answer"]["queue"] in {"billing", "technical"}
    assert shown["policy"]["write"] is True
    assert shown["update"]["$set"]["queue"] == shown["answer"]["queue"]
    assert shown["write"]["filter"]["_id"] == {"$eq": {"$oid": "65f000000000000000000001"}}
    assert mongo_db.list_collection_names() == []


def test_the_document_may_come_from_a_file(run: Run, support: str, tmp_path: Path) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(TICKET)

    assert run("test", "agent", support, "-f", str(path)).code == 0
    assert run("test", "agent", support, "-f", "-", stdin=TICKET).code == 0
    assert run("test", "agent", support).code == 1


def test_an_answer_that_does_not_fit_exits_with_1_and_says_why(
    run: Run, support: str, sandbox_model: ModelControl
) -> None:
    sandbox_model.script("bad_schema")

    tried = run("test", "agent", support, "-d", TICKET)

    assert tried.code == 1
    assert "✗ " in tried.out
    assert "A worker would ask again" in tried.out


def test_a_paid_provider_is_called_only_after_asking(
    run: Run, agent_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    agent_file.write_text(
        agent_file.read_text()
        .replace("provider: sandbox", "provider: anthropic")
        .replace("sandbox-1", "claude-x")
    )
    run("agents", "create", "-f", str(agent_file))

    tried = run("test", "agent", "support", "-d", TICKET, "--json", stdin="n\n")

    assert tried.code == 0
    assert tried.data["called"] is False
    assert "Call AI provider?" in tried.err


def test_a_policy_that_blocks_shows_no_update(run: Run, agent_file: Path) -> None:
    policy = "policy: {condition: \"document.status == 'open'\", action: block}\n"
    agent_file.write_text(agent_file.read_text() + policy)
    run("agents", "create", "-f", str(agent_file))

    shown = run("test", "agent", "support", "-d", TICKET, "--json").data

    assert shown["policy"]["reason"] == "policy_block"
    assert "update" not in shown
    assert "a worker would write nothing (policy_block)" in run("test", "agent", "support", "-d", TICKET).out
