"""The reference of the command line, from click."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from typing import Final

import click

from docs.generate.markdown import page, table
from mongoclaw_project.cli.main import mongoclaw

_LEAD: Final = """
Results go to standard output, errors and remarks to standard error, so that `mongoclaw … --json | jq` works
whatever happens. Every command but `mongoclaw manage` takes `--json`, before or after its name, and `--debug`,
which shows the traceback of an error. `mongoclaw completion` lets bash, zsh and fish complete commands,
options and the ids of agents.

On a terminal lists are tables as wide as it is, states are coloured unless `NO_COLOR` is set, and what takes its time
says on standard error how far it is. Into a file or a pipe goes plain text of 110 characters at most. What would steer
a terminal, in a document or an answer, is written out everywhere, as `\\u001b`.

Commands read the settings of the environment and of `.env`, see [settings](settings.md). Beside a running
`mongoclaw dev`, in the same folder, they find its servers by themselves.
"""
EXIT_CODES: Final = (
    ("0", "It worked.", ""),
    (
        "1",
        "It failed, found something wrong (`doctor`, `health`, `test`), or a question was answered with no.",
        "Read the line after the `✗`; `mongoclaw doctor` looks further.",
    ),
    (
        "2",
        "It was called wrongly: a command, an option or a value that does not exist. Nothing was done.",
        "Read its `--help`.",
    ),
    ("130", "Ctrl-C. What was done before stays done.", "Call it again."),
)
_ERRORS: Final = """
With `--json` an error is a line of JSON on standard error, `{"error": {"code": …, "message": …}}`, with one of the
codes of [reasons](reasons.md) or `usage`, `aborted`, `interrupted`, `command_failed` or `unexpected`.
`mongoclaw manage` has Django's own codes: 1 for an error, 2 for wrong usage.
"""
_WIDTH: Final = 100
_EVERYWHERE: Final = {"--json", "--debug", "--help"}


def reference() -> str:
    """The whole page."""
    context = click.Context(mongoclaw, info_name="mongoclaw")
    names = mongoclaw.list_commands(context)
    codes = table(("code", "meaning", "what to do"), EXIT_CODES)
    commands = (part for name in names for part in _describe(mongoclaw, context, name))
    return page("Commands", _LEAD, "## Exit codes", codes, _ERRORS, *commands)


def _describe(group: click.Group, parent: click.Context, name: str) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise LookupError(f"mongoclaw lists {name} and does not have it")
    context = click.Context(command, info_name=name, parent=parent, max_content_width=_WIDTH)
    level = "##" if parent.parent is None else "###"
    yield f"{level} {context.command_path}"
    yield _prose(inspect.cleandoc(command.help or ""))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _describe(command, context, child)
        return
    yield f"    {' '.join([context.command_path, *command.collect_usage_pieces(context)])}"
    options = list(_options(command, context))
    if options:
        yield "\n".join(options)


def _prose(text: str) -> str:
    """The help in Markdown: click's mark of a paragraph whose lines stay apart makes it a block of code."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        textwrap.indent(one.removeprefix("\b\n"), "    ") if one.startswith("\b\n") else one
        for one in paragraphs
    )


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not _EVERYWHERE.intersection(parameter.opts):
            yield f"- `{record[0]}`{': ' if record[1] else ''}{record[1]}"
