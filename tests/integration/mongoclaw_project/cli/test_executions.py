"""`mongoclaw executions`: the list and the story of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import Timestamp

from executions_app import transitions
from executions_app.models import Attempt, Execution
from executions_app.run import Settlement
from executions_app.states import Status
from tests.integration.mongoclaw_project.cli.conftest import Run, recorded

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def runs(run: Run, agent_file: Path) -> list[str]:
    """Three executions: one that failed, one that was written, one that waits."""
    run("agents", "create", "-f", str(agent_file))
    at = Timestamp(int(NOW.timestamp()), 1)
    ids = [recorded(number, key=f"ticket-{number}", event_time=at, now=NOW) for number in range(3)]
    ends = [
        Settlement(
            status=Status.FAILED,
            reason="provider_rejected",
            error_type="provider_rejected",
            error="no such model",
            traceback="in the code",
        ),
        Settlement(
            status=Status.COMPLETED,
            reason="written",
            written=True,
            model_calls=1,
            tokens_used=19,
            cost_nanousd=5_000,
        ),
    ]
    for id_, end in zip(ids, ends, strict=False):
        claimed = transitions.claim(id_, worker="w", now=NOW)
        assert claimed is not None
        transitions.settle(claimed, end, now=NOW)
    Attempt.objects.create(
        execution_id=ids[1],
        claim=1,
        number=1,
        input_hash="h",
        started_at=NOW,
        latency_ms=200,
        provider="sandbox",
        model="sandbox-1",
        prompt="Sort this ticket: hello",
        reply='{"queue": "billing"}',
        answer={"queue": "billing"},
        outcome="valid",
    )
    return ids


def test_executions_are_listed_with_what_became_of_them(run: Run, runs: list[str]) -> None:
    listed = run("executions", "list")

    assert listed.code == 0
    for shown in ("ticket-0", "provider_rejected", "written", "$0.000005", runs[0][:8]):
        assert shown in listed.out


@pytest.mark.usefixtures("runs")
def test_the_list_fits_a_terminal_whatever_the_names_are(run: Run) -> None:
    Execution.objects.update(document_id="d" * 400, reason="policy_simulation_of_more_than_that")
    lines = run("executions", "list").out.splitlines()

    assert max(map(len, lines)) <= 110
    assert "ddd…" in lines[2]
    assert "policy_simu" in lines[2]


@pytest.mark.parametrize(
    ("words", "documents"),
    [
        (("--status", "failed"), ["ticket-0"]),
        (("--reason", "written"), ["ticket-1"]),
        (("--agent", "support", "--limit", "1"), ["ticket-2"]),
        (("--agent", "other"), []),
    ],
)
@pytest.mark.usefixtures("runs")
def test_the_list_is_narrowed(run: Run, words: tuple[str, ...], documents: list[str]) -> None:
    listed = run("executions", "list", *words, "--json").data

    assert [execution["document_id"] for execution in listed["executions"]] == documents


def test_the_story_of_a_run_holds_prompt_and_answer(run: Run, runs: list[str]) -> None:
    story = run("executions", "show", runs[1][:10])

    assert story.code == 0
    for shown in (
        runs[1],
        "insert in shop.tickets",
        "claim 1",
        "Sort this ticket: hello",
        '"queue": "billing"',
    ):
        assert shown in story.out


def test_the_story_as_json_is_the_contracts_record_and_more(run: Run, runs: list[str]) -> None:
    record = run("executions", "show", runs[1], "--json").data

    assert record["id"] == record["work_item_id"] == runs[1]
    assert (record["status"], record["lifecycle_state"], record["reason"]) == (
        "completed",
        "written",
        "written",
    )
    assert (record["tokens_used"], record["cost_usd"]) == (19, 0.000005)
    assert record["ai_response"]["parsed_content"] == {"queue": "billing"}
    assert next(step["moment"] for step in record["timeline"]) == "event"


def test_the_story_of_a_failure_says_why_and_where_if_asked(run: Run, runs: list[str]) -> None:
    story = run("executions", "show", runs[0]).out

    assert "Error      provider_rejected: no such model" in story
    assert "in the code" not in story
    assert "in the code" in run("executions", "show", runs[0], "--traceback").out


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("wrong", ["ffffffffffff", "abc", "", "ticket-0"])
def test_an_execution_that_does_not_exist_exits_with_1_and_one_line(run: Run, wrong: str) -> None:
    missing = run("executions", "show", wrong)

    assert missing.code == 1
    assert len(missing.err.splitlines()) == 1
    assert "not found" in missing.err


def test_an_unknown_status_is_wrong_usage(run: Run) -> None:
    assert run("executions", "list", "--status", "happy").code == 2
