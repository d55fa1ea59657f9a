from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from mongoclaw_project.config import load_settings
from mongoclaw_project.logs import (
    StandardStreamHandler,
    configure,
    configure_django,
    configure_for_terminal,
)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    old = structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**old)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_json_with_the_fields_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({"MONGOCLAW_OBSERVABILITY__SERVICE_NAME": "claw"}))
    structlog.get_logger("a.module").info("execution.ended", agent_id="a1", duration_ms=3)
    (line,) = lines(capsys)
    assert line["event"] == "execution.ended"
    assert line["level"] == "info"
    assert line["service"] == "claw"
    assert line["timestamp"].endswith("Z")
    assert line["agent_id"] == "a1"
    assert line["duration_ms"] == 3


def test_lines_of_other_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({}))
    logging.getLogger("celery.worker").warning("lost %s", "it", extra={"queue": "q"})
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("lost it", "warning", "celery.worker")
    assert line["service"] == "mongoclaw"
    assert line["queue"] == "q"


def test_secrets_never_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({}))
    structlog.get_logger("m").warning(
        "broker.lost",
        url="redis://:hunter2@h",
        api_key="hunter2",
        headers={"Authorization": "Bearer hunter2hunter2"},
        tokens_used=5,
    )
    logging.getLogger("other").error("cannot reach %s", "mongodb://u:hunter2@h")
    text = capsys.readouterr().out
    assert "hunter2" not in text
    assert '"tokens_used": 5' in text


def test_a_traceback_is_part_of_its_line_and_scrubbed(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({}))
    try:
        int("mongodb://u:hunter2@h")
    except ValueError:
        structlog.get_logger("m").exception("it.failed")
    (line,) = lines(capsys)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_bound_context_is_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({}))
    with structlog.contextvars.bound_contextvars(execution_id="e1"):
        structlog.get_logger("m").info("a")
        logging.getLogger("n").info("b")
    assert [line["execution_id"] for line in lines(capsys)] == ["e1", "e1"]


def test_the_least_level_is_kept_and_chatty_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({"MONGOCLAW_OBSERVABILITY__LOG_LEVEL": "info"}))
    structlog.get_logger("m").debug("hidden")
    logging.getLogger("celery.app.trace").info("Task succeeded")
    logging.getLogger("m").info("shown")
    assert [line["event"] for line in lines(capsys)] == ["shown"]


def test_configuring_again_doubles_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure(load_settings({}))
    structlog.get_logger("m").info("once")
    assert len(lines(capsys)) == 1


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings({"MONGOCLAW_OBSERVABILITY__LOG_FORMAT": "console"}))
    structlog.get_logger("m").info("worker.started", threads=64)
    out = capsys.readouterr().out
    assert "worker.started" in out
    assert not out.startswith("{")


def test_a_command_logs_warnings_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure_for_terminal()
    structlog.get_logger("m").info("hidden")
    structlog.get_logger("m").warning("shown")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "shown" in captured.err
    assert "hidden" not in captured.err


def test_a_command_that_pauses_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_for_terminal()
    structlog.get_logger("executions_app.holds").warning("dispatch.held", scope="all")
    assert capsys.readouterr().err == ""


def test_djangos_set_up_keeps_what_the_process_has_chosen() -> None:
    configure_for_terminal()
    configure_django({})
    (handler,) = [
        handler for handler in logging.getLogger().handlers if isinstance(handler, StandardStreamHandler)
    ]
    assert handler._stream_name == "stderr"
