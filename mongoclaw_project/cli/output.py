"""What commands print: one way for text and JSON, one way for errors.

Results go to stdout and errors to stderr, so that `mongoclaw … --json | jq` works whatever happens.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

import click

from agents_app.errors import AgentNotFound, MongoClawError, PolicyNotFound
from mongoclaw_project.cli.command import is_set
from mongoclaw_project.cli.printable import printable
from mongoclaw_project.cli.tables import Table
from mongoclaw_project.cli.terminal import is_terminal

SUCCESS: Final = "✓"
FAILURE: Final = "✗"
_EXIT_FAILURE: Final = 1
_EXIT_USAGE: Final = 2
_EXIT_INTERRUPTED: Final = 130
_LISTED: Final[Mapping[type[MongoClawError], str]] = {AgentNotFound: "agents", PolicyNotFound: "policies"}


class CommandFailed(MongoClawError):
    """The command failed.

    Raise it with the line that the user should read: it is printed after a `✗` and the exit code is 1.
    """

    code = "command_failed"


def wants_json() -> bool:
    """Whether the user asked for JSON."""
    return is_set("as_json")


def show(data: object, *, text: str | Table | Iterable[str | Table]) -> None:
    """Print a result: `data` when JSON is wanted, else the text, or its lines and tables one below the other."""
    if wants_json():
        click.echo(to_json(data))
        return
    for part in [text] if isinstance(text, (str, Table)) else text:
        if isinstance(part, str):
            click.echo(printable(part))
        elif is_terminal(sys.stdout):
            part.draw()
        else:
            click.echo(part.plain())


def done(message: str, **data: object) -> None:
    """Say that something was done: `✓ message`, or `{"message": …}` with the data."""
    show({"message": message, **data}, text=f"{SUCCESS} {message}")


def note(message: str) -> None:
    """Say something that is not the result: to stderr."""
    click.echo(printable(message), err=True)


def fail(message: str, **details: object) -> NoReturn:
    """End the command with one line and exit code 1."""
    raise CommandFailed(message, **details)


def to_json(data: object) -> str:
    """JSON text, with times in ISO 8601."""
    return printable(json.dumps(data, indent=2, ensure_ascii=False, default=_plain))


def to_json_line(data: object) -> str:
    """The same as one line of many."""
    return printable(json.dumps(data, ensure_ascii=False, default=_plain))


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print an error for the user and give the exit code: 2 for wrong usage, 130 for Ctrl-C, 1 for anything else."""
    if debug and not isinstance(error, click.ClickException):
        traceback.print_exception(error, file=sys.stderr)
    code, message, exit_code = _explained(error)
    if as_json:
        click.echo(to_json({"error": {"code": code, "message": message}}), err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    else:
        for line in message.splitlines() or [code]:
            click.echo(printable(f"{FAILURE} {line}"), err=True)
    return exit_code


def _explained(error: BaseException) -> tuple[str, str, int]:
    match error:
        case click.UsageError():
            return "usage", error.format_message(), _EXIT_USAGE
        case click.ClickException():
            return "command_failed", error.format_message(), _EXIT_FAILURE
        case (
            KeyboardInterrupt() | click.Abort(__context__=KeyboardInterrupt())
        ):  # click makes one of the other
            return "interrupted", "Interrupted", _EXIT_INTERRUPTED
        case click.Abort():
            return "aborted", "Aborted", _EXIT_FAILURE
        case MongoClawError():
            group = _LISTED.get(type(error))
            remedy = f"; `mongoclaw {group} list` names those there are" if group else ""
            return error.code, f"{error}{remedy}", _EXIT_FAILURE
        case _:
            text = " ".join(str(error).split()) or "no message"
            return "unexpected", f"{type(error).__name__}: {text} (--debug shows where)", _EXIT_FAILURE


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
