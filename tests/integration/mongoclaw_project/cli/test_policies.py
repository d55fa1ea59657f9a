"""`mongoclaw policies`: shared policies from files, with the agents that use them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents_app.models import AgentVersion, Policy, PolicyVersion
from agents_app.publish import publish
from agents_app.spec import load_spec
from tests.integration.executions_app.conftest import NOW
from tests.integration.mongoclaw_project.cli.conftest import SUPPORT, Run

SURE = "name: sure\ncondition: result.queue == 'billing'\n"
LOOSE = "name: sure\ncondition: result.queue != 'nothing'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sure.yaml"
    path.write_text(SURE)
    return path


@pytest.fixture
def used(run: Run, file: Path) -> str:
    """An agent that uses the policy of the file, both published."""
    assert run("policies", "publish", str(file)).code == 0
    text = SUPPORT.format(database="shop") + "policy: {use: sure}\n"
    return publish(load_spec(text), by="tests", now=NOW).agent.pk


def test_a_policy_is_published_from_a_file_and_shown_as_one(run: Run, file: Path) -> None:
    assert run("policies", "list").out.startswith("There are no shared policies yet")
    assert run("policies", "publish", str(file)).out == "✓ Created policy: sure (version 1)\n"
    assert run("policies", "publish", str(file)).out == "✓ Policy 'sure' was so already; nothing changed\n"

    shown = run("policies", "show", "sure").out
    assert run("policies", "publish", "-", "--json", stdin=shown).data["version"] == 1, "it is what was read"
    data = run("policies", "show", "sure", "--json").data
    assert (data["condition"], data["used_by"]) == ("result.queue == 'billing'", [])


def test_agents_that_would_change_are_named_before_and_asked_about(run: Run, file: Path, used: str) -> None:
    file.write_text(LOOSE)

    asked = run("policies", "publish", str(file), stdin="n\n")
    assert (asked.code, PolicyVersion.objects.count()) == (1, 1)
    assert "+ condition: result.queue != 'nothing'" in asked.err
    assert f"published again with it: {used}." in asked.err

    done = run("policies", "publish", str(file), "--yes", "--json")
    assert (done.data["version"], done.data["published"]) == (2, [used])
    assert AgentVersion.objects.filter(agent=used).count() == 2


def test_versions_are_listed_compared_and_gone_back_on(run: Run, file: Path, used: str) -> None:
    file.write_text(LOOSE)
    run("policies", "publish", str(file), "-y")

    listed = run("policies", "versions", "sure", "--json").data["versions"]
    assert [(one["number"], one["is_current"]) for one in listed] == [(2, True), (1, False)]
    assert "- condition: result.queue == 'billing'" in run("policies", "diff", "sure", "1").out
    assert run("policies", "diff", "sure", "2", "2").out == "They say the same.\n"
    now = run("policies", "show", "sure").out
    assert run("policies", "show", "sure", "--version", "1").out == now.replace(
        "!= 'nothing'", "== 'billing'"
    )
    missing = run("policies", "diff", "sure", "7")
    assert (missing.code, missing.err) == (1, "✗ Policy 'sure' has no version 7\n")

    back = run("policies", "rollback", "sure", "1", "-y")
    assert back.out == "✓ Version 1 of policy 'sure' is current again\n"
    assert f"Published again with it: {used}." in back.err
    assert Policy.objects.get().current_version == PolicyVersion.objects.get(number=1)


def test_mistakes_are_lines_with_their_places_and_publish_nothing(run: Run, file: Path) -> None:
    file.write_text("name: sure\nconditoin: x\naction: destroy\n")
    for command in ("validate", "publish"):
        refused = run("policies", command, str(file))
        lines = refused.err.splitlines()
        assert refused.code == 1
        assert all(line.startswith(f"✗ {file}: ") for line in lines)
        assert any("conditoin" in line and "condition" in line and "(line 2" in line for line in lines)
    assert not Policy.objects.exists()
    file.write_text(SURE)
    assert run("policies", "validate", str(file)).out == "✓ Policy 'sure' is valid\n"


def test_a_policy_in_use_is_not_deleted(run: Run, used: str) -> None:
    refused = run("policies", "delete", "sure")
    assert (refused.code, refused.err) == (1, f"✗ Policy 'sure' cannot be deleted: it is used by {used}\n")
    publish(load_spec(SUPPORT.format(database="shop")), by="tests", now=NOW)
    assert run("policies", "delete", "sure", stdin="n\n").code == 1
    assert run("policies", "delete", "sure", "-y").out == "✓ Deleted policy: sure\n"
    gone = run("policies", "show", "sure").err
    assert gone == "✗ Policy 'sure' not found; `mongoclaw policies list` names those there are\n"
