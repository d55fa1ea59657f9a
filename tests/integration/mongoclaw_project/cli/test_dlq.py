"""`mongoclaw dlq`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from executions_app.models import Execution
from executions_app.states import Reason, Status
from tests.integration.executions_app.conftest import MakeEvent, agent, make_event
from tests.integration.executions_app.letters import dead_run, dead_runs, stray
from tests.integration.mongoclaw_project.cli.conftest import Run

__all__ = ["agent", "make_event"]


def test_they_are_listed_with_their_kind(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event, "ticket-7", error="the key is wrong")
    message = stray(b"what is this")

    shown = run("dlq", "list").out

    for text in (id_[:8], "ticket-7", "the key is wrong", message[:8], "message", "what is this"):
        assert text in shown
    assert [one["id"] for one in run("dlq", "list", "--kind", "run", "--json").data["dead_letters"]] == [id_]
    assert run("dlq", "list", "--until", "2000-01-01").out == "No dead letters.\n"


def test_the_list_ends_with_how_many_there_are(run: Run, make_event: MakeEvent) -> None:
    dead_runs(make_event, 3)

    assert (
        run("dlq", "list", "--limit", "2").err == "2 of 3 dead letters; --limit and --skip show the others.\n"
    )
    assert run("dlq", "list").err == "3 of 3 dead letters.\n"
    assert run("dlq", "list", "--limit", "1", "--json").data["total"] == 3


def test_a_long_error_is_cut_with_a_sign_and_shown_whole_when_asked_for(
    run: Run, make_event: MakeEvent
) -> None:
    id_, error = dead_run(make_event, error="no room " * 40), ("no room " * 40).strip()

    assert error not in run("dlq", "list").out
    assert "…  " in run("dlq", "list").out
    assert error in run("dlq", "list", "--wide").out
    assert error in run("dlq", "show", id_).out


@pytest.mark.parametrize(
    "words", [("dlq", "list"), ("dlq", "export"), ("executions", "list"), ("dlq", "show", "ID")]
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_document_that_would_steer_a_terminal_is_told_in_plain_characters(
    run: Run, make_event: MakeEvent, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    id_ = dead_run(make_event, "\x1b[2Jticket\x9b31m", error="\x1b]0;owned\x07\u202etxt.exe")

    shown = run(*(id_ if word == "ID" else word for word in words), *form).out

    assert "ticket" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)


@pytest.mark.parametrize("words", [("list",), ("requeue", "--yes"), ("discard", "--yes"), ("export",)])
def test_a_name_that_is_none_is_wrong_usage_and_the_known_ones_are_told(
    run: Run, make_event: MakeEvent, words: tuple[str, ...]
) -> None:
    dead_run(make_event)

    agent_, reason = run("dlq", *words, "--agent", "triaeg"), run("dlq", *words, "--reason", "write_refusde")

    assert (agent_.code, reason.code) == (2, 2)
    assert "--agent: there has never been an agent 'triaeg'; agents: triage" in agent_.err
    assert "--reason: there is no reason 'write_refusde'; reasons on record: write_refused" in reason.err


@pytest.mark.parametrize("reason", ["poison_run", "provider_auth_failed", "run_deadline"])
@pytest.mark.usefixtures("make_event")
def test_a_reason_that_there_is_may_have_no_letters(run: Run, reason: str) -> None:
    assert run("dlq", "list", "--reason", reason).out == "No dead letters.\n"


def test_what_was_let_run_again_is_still_shown_with_what_it_died_of(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event, error="no room")
    run("dlq", "requeue", id_, "--yes")

    shown = run("dlq", "show", id_[:8]).out

    assert "no dead letter any more, but pending" in shown
    assert "write_refused: no room" in shown
    assert "let run again by cli" in shown
    assert "let run again by cli" in run("executions", "show", id_[:8]).out


def test_discarding_twice_says_since_when_it_is_discarded(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event)
    run("dlq", "discard", id_, "--yes")

    again = run("dlq", "discard", id_, "--yes").err

    assert "already discarded" in again
    assert f"{id_[:8]} (discarded at {datetime.now(UTC):%Y-%m-%d}" in again
    assert "quicker" not in again


def test_each_is_shown_with_all_that_is_known(run: Run, make_event: MakeEvent) -> None:
    id_, message = dead_run(make_event, error="no room"), stray(b"what is this")
    Execution.objects.update(traceback="in the code")

    assert "write_refused: no room" in run("dlq", "show", id_[:8]).out
    assert "in the code" in run("dlq", "show", id_[:8], "--traceback").out
    assert "11 bytes" not in run("dlq", "show", message[:8]).out
    assert "12 bytes: what is this" in run("dlq", "show", message[:8]).out
    assert run("dlq", "show", id_, "--json").data["execution"]["traceback"] == "in the code"
    unknown = run("dlq", "show", "ffffffff")
    assert (unknown.code, "not found" in unknown.err) == (1, True)


def test_nothing_given_does_not_mean_everything(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event)
    for verb in ("requeue", "discard", "restore"):
        refused = run("dlq", verb, "--yes")
        assert (refused.code, "--all" in refused.err) == (2, True)
        assert run("dlq", verb, id_[:8], "--all", "--yes").code == 2
    assert Execution.objects.get().status == Status.FAILED


def test_they_run_again_at_a_rate_and_what_is_left_is_told(run: Run, make_event: MakeEvent) -> None:
    dead_runs(make_event, 3)
    message = stray()

    done = run("dlq", "requeue", "--all", "--rate", "1/m", "--yes")

    assert "Let 3 dead letters run again" in done.out
    assert f"nobody knows what to run: {message[:8]}" in done.err
    assert "The last of them may start at" in done.err
    assert Execution.objects.filter(reason=Reason.REQUEUED).count() == 3


def test_a_question_is_asked_first(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event)

    refused = run("dlq", "requeue", id_[:8], stdin="n\n")

    assert "Run 1 dead letter again?" in refused.err
    assert (refused.code, Execution.objects.get().status) == (1, Status.FAILED)
    assert run("dlq", "requeue", id_[:8], stdin="y\n").code == 0


def test_they_are_put_aside_and_brought_back(run: Run, make_event: MakeEvent) -> None:
    id_ = dead_run(make_event)

    assert (
        "Discarded 1 dead letter"
        in run("dlq", "discard", "--agent", "triage", "--why", "a test", "--yes").out
    )
    assert run("dlq", "list").out == "No dead letters.\n"
    assert id_[:8] in run("dlq", "list", "--archived").out
    assert "a test" in run("dlq", "show", id_[:8]).out
    assert "Brought 1 dead letter back" in run("dlq", "restore", id_[:8], "--yes").out
    assert id_[:8] in run("dlq", "list").out


def test_a_rate_at_which_the_last_would_never_start_is_refused(run: Run, make_event: MakeEvent) -> None:
    dead_runs(make_event, 2)

    refused = run("dlq", "requeue", "--all", "--rate", "1e-300/s", "--yes")

    assert refused.code == 2
    assert "--rate must be 0.0001/s or more" in refused.err


@pytest.mark.parametrize("archived", [False, True])
def test_they_are_exported_as_lines(run: Run, make_event: MakeEvent, archived: bool) -> None:
    id_, message = dead_run(make_event), stray()
    if archived:
        run("dlq", "discard", "--all", "--yes")

    lines = run("dlq", "export", *(["--archived"] if archived else [])).out.splitlines()

    assert [json.loads(line)["id"] for line in lines] == [id_, message]
    assert (json.loads(lines[0])["discarded"] is not None) == archived
