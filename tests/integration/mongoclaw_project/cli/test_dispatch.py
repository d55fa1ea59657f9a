"""Pausing and resuming on the command line, and where else it shows."""

from __future__ import annotations

from pathlib import Path

from tests.integration.mongoclaw_project.cli.conftest import Run


def test_what_is_paused_shows_wherever_one_looks_for_work_that_stands_still(
    run: Run, agent_file: Path
) -> None:
    run("agents", "create", "-f", str(agent_file))
    assert run("dispatch", "status").out == "Nothing is paused.\n"

    paused = run("dispatch", "pause", "--agent", "support", "--reason", "wrong prompt")
    assert paused.out == "✓ Paused agent 'support'\n"
    run("dispatch", "pause", "--reason", "the bill")

    for words in (("dispatch", "status"), ("stats",), ("limits", "list")):
        out = run(*words).out
        assert "all agents: held by cli" in out, words
        assert "(the bill)" in out, words
        assert "support: held by cli" in out, words
        as_json = run(*words, "--json").data
        assert (as_json if words[0] == "dispatch" else as_json["dispatch"])["paused"] is True
    doctor = run("doctor").out
    assert "agent 'support' is held by cli" in doctor
    assert "→ `mongoclaw dispatch resume --agent support`" in doctor

    resumed = run("dispatch", "resume", "--agent", "support")
    assert resumed.out == "✓ Resumed agent 'support'\n"
    assert "all agents: held by" in resumed.err
    assert run("dispatch", "resume").err == ""
    assert run("dispatch", "resume").out == "✓ All agents had no pause to end\n"


def test_an_agent_that_is_not_there_cannot_be_paused(run: Run) -> None:
    outcome = run("dispatch", "pause", "--agent", "nobody")
    assert (outcome.code, "Agent 'nobody' not found" in outcome.err) == (1, True)
