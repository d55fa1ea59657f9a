"""`mongoclaw agents`: what each command does, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo.database import Database

from agents_app.models import Agent, AgentVersion
from tests.integration.mongoclaw_project.cli.conftest import Point, Run

ABSENT = "mongodb://127.0.0.1:9"


def changed(path: Path, **changes: Any) -> Path:
    """Write the agent of a file into another one, with keys of its sections replaced (`ai__prompt=…`)."""
    data = yaml.safe_load(path.read_text())
    for name, value in changes.items():
        section, _, key = name.partition("__")
        (data[section] if key else data)[key or section] = value
    target = path.with_name("changed.yaml")
    target.write_text(yaml.safe_dump(data))
    return target


def test_an_agent_is_created_and_works_at_once(run: Run, agent_file: Path) -> None:
    created = run("agents", "create", "-f", str(agent_file))

    assert (created.code, created.out) == (0, "✓ Created agent: support\n")
    assert Agent.objects.get().enabled


def test_an_agent_is_read_from_standard_input(run: Run, agent_file: Path) -> None:
    created = run("agents", "create", "-f", "-", "--json", stdin=agent_file.read_text())

    assert created.data["agent_id"] == "support"
    assert created.data["version"] == 1


def test_creating_an_agent_twice_fails_and_names_the_remedy(run: Run, agent_file: Path) -> None:
    run("agents", "create", "-f", str(agent_file))

    again = run("agents", "create", "-f", str(agent_file))

    assert again.code == 1
    assert again.err.splitlines()[-1] == (
        f"✗ Agent 'support' exists already; change it with `mongoclaw agents update -f {agent_file}`"
    )
    assert AgentVersion.objects.count() == 1


def test_every_mistake_in_a_file_is_a_line_with_its_path_and_place(run: Run, agent_file: Path) -> None:
    wrong = changed(agent_file, ai__temperature=3, ai__promt="x")

    created = run("agents", "create", "-f", str(wrong))

    assert created.code == 1
    lines = created.err.splitlines()
    assert all(line.startswith(f"✗ {wrong}: ai.") for line in lines)
    assert any("ai.temperature" in line and "(line " in line for line in lines)
    assert any("ai.promt" in line and "prompt" in line for line in lines)
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not text in UTF-8"), (b"[1, 2]", "must be a mapping"), (b"id: [", "line ")],
)
def test_a_file_that_is_no_agent_is_refused_in_one_line(
    run: Run, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)

    created = run("agents", "create", "-f", str(path))

    assert created.code == 1
    [line] = created.err.splitlines()
    assert str(path) in line
    assert said in line


def test_a_missing_file_is_named(run: Run) -> None:
    assert run("agents", "create", "-f", "nowhere.yaml").err == "✗ There is no file nowhere.yaml\n"


def test_a_template_that_does_not_compile_is_refused(run: Run, agent_file: Path) -> None:
    created = run("agents", "create", "-f", str(changed(agent_file, ai__prompt="{{ document.text")))

    assert created.code == 1
    assert "ai.prompt" in created.err
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    "query", [{"status": {"$regex": "("}}, {"$expr": {"$divide": [1, "$zero"]}}, {"n": {"$bitsAllSet": "x"}}]
)
def test_a_filter_that_the_server_cannot_evaluate_is_refused(
    run: Run, agent_file: Path, mongo_db: Database[Any], query: dict[str, Any]
) -> None:
    mongo_db["tickets"].insert_one({"status": "open", "zero": 0})

    created = run("agents", "create", "-f", str(changed(agent_file, watch__filter=query)))

    assert created.code == 1
    assert "watch.filter" in created.err
    assert not Agent.objects.exists()


def test_a_view_cannot_be_watched(run: Run, agent_file: Path, mongo_db: Database[Any]) -> None:
    mongo_db["raw"].insert_one({})
    mongo_db.command("create", "tickets", viewOn="raw", pipeline=[])

    created = run("agents", "create", "-f", str(agent_file))

    assert created.code == 1
    assert "watch.collection: 'tickets' is a view" in created.err


def test_a_collection_that_does_not_exist_yet_is_a_warning(run: Run, agent_file: Path) -> None:
    created = run("agents", "create", "-f", str(agent_file))

    assert created.code == 0
    assert "warning: watch.collection: there is no" in created.err


def test_without_mongodb_an_agent_is_created_with_a_warning(run: Run, point: Point, agent_file: Path) -> None:
    point(MONGODB__URI=ABSENT)

    created = run("agents", "create", "-f", str(agent_file))

    assert created.code == 0
    assert "warning: watch: not tried on the server, because MongoDB cannot be reached" in created.err


def test_an_update_makes_a_new_version_and_the_same_again_makes_none(run: Run, agent_file: Path) -> None:
    run("agents", "create", "-f", str(agent_file))
    other = str(changed(agent_file, ai__prompt="Sort with care: {{ document.text }}"))

    assert run("agents", "update", "-f", other).out == "✓ Updated agent: support (version 2)\n"
    assert "nothing changed" in run("agents", "update", "-f", other).out
    assert AgentVersion.objects.count() == 2


def test_updating_an_agent_that_does_not_exist_fails_and_names_the_remedy(run: Run, agent_file: Path) -> None:
    updated = run("agents", "update", "-f", str(agent_file))

    assert updated.code == 1
    assert updated.err == (
        f"✗ Agent 'support' not found; create it with `mongoclaw agents create -f {agent_file}`\n"
    )


def test_agents_are_listed_as_a_table_and_as_json(run: Run, agent_file: Path) -> None:
    assert "There are no agents yet" in run("agents", "list").out
    run("agents", "create", "-f", str(agent_file))

    table = run("agents", "list").out.splitlines()
    assert table[0].split()[:4] == ["ID", "Name", "Collection", "Model"]
    assert table[2].startswith("support  Support triage")
    for words in (("--json",), ("--format", "json")):
        listed = run("agents", "list", *words).data
        assert [agent["id"] for agent in listed["agents"]] == ["support"]
    run("agents", "disable", "support")
    assert run("agents", "list", "--enabled-only", "--json").data["total"] == 0


def test_what_get_prints_can_be_created_again(run: Run, agent_file: Path, tmp_path: Path) -> None:
    run("agents", "create", "-f", str(agent_file))
    text = run("agents", "get", "support").out
    copy = tmp_path / "copy.yaml"
    copy.write_text(text.replace("id: support", "id: copy"))

    assert run("agents", "create", "-f", str(copy)).code == 0
    as_json = json.loads(run("agents", "get", "copy", "--format", "json").out)
    assert as_json["ai"] == yaml.safe_load(text)["ai"]


def test_an_agent_is_switched_off_and_on(run: Run, agent_file: Path) -> None:
    run("agents", "create", "-f", str(agent_file))

    assert run("agents", "disable", "support").out == "✓ Disabled agent: support\n"
    assert not Agent.objects.get().enabled
    assert run("agents", "enable", "support").out == "✓ Enabled agent: support\n"
    assert Agent.objects.get().enabled


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_deleting_asks_first_and_leaves_the_agent_unless_told_yes(
    run: Run, agent_file: Path, answer: str
) -> None:
    run("agents", "create", "-f", str(agent_file))

    refused = run("agents", "delete", "support", stdin=answer)

    assert refused.code == 1
    assert run("agents", "get", "support").code == 0


@pytest.mark.parametrize(("words", "answer"), [(("--force",), ""), (("-f",), ""), ((), "y\n")])
def test_a_deleted_agent_is_gone(run: Run, agent_file: Path, words: tuple[str, ...], answer: str) -> None:
    run("agents", "create", "-f", str(agent_file))

    deleted = run("agents", "delete", "support", *words, stdin=answer)

    assert (deleted.code, deleted.out.splitlines()[-1]) == (0, "✓ Deleted agent: support")
    assert run("agents", "get", "support").code == 1


@pytest.mark.parametrize(
    "words", [("get",), ("enable",), ("disable",), ("delete", "-f"), ("validate", "--id")]
)
def test_an_agent_that_does_not_exist_exits_with_1_and_one_line(run: Run, words: tuple[str, ...]) -> None:
    missing = run("agents", *words, "ghost")

    line = "✗ Agent 'ghost' not found; `mongoclaw agents list` names those there are\n"
    assert (missing.code, missing.err) == (1, line)


def test_errors_are_json_where_json_is_asked_for(run: Run) -> None:
    missing = run("agents", "get", "ghost", "--json")

    assert json.loads(missing.err)["error"] == {
        "code": "agent_not_found",
        "message": "Agent 'ghost' not found; `mongoclaw agents list` names those there are",
    }
    assert missing.out == ""


def test_validating_publishes_nothing(run: Run, agent_file: Path) -> None:
    valid = run("agents", "validate", "-f", str(agent_file))

    assert (valid.code, valid.out) == (0, "✓ Agent 'support' is valid\n")
    assert not Agent.objects.exists()


def test_a_stored_agent_is_validated_by_its_id(run: Run, agent_file: Path) -> None:
    run("agents", "create", "-f", str(agent_file))

    assert run("agents", "validate", "--id", "support").code == 0
    assert run("agents", "validate").code == 1


def test_wrong_usage_exits_with_2(run: Run) -> None:
    assert run("agents", "create").code == 2
    assert run("agents", "fly").code == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mongoclaw agents get su", "plain,support"),
        ("mongoclaw executions list --agent su", "plain,support"),
        ("mongoclaw agents get nothing-of-the-kind", ""),
    ],
)
def test_a_shell_completes_the_ids_of_agents(
    run: Run, agent_file: Path, monkeypatch: pytest.MonkeyPatch, words: str, offered: str
) -> None:
    run("agents", "create", "-f", str(agent_file))
    asked = {"_MONGOCLAW_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)

    completed = run()

    assert (completed.code, completed.out.strip()) == (0, offered)
