"""The reference of the command line, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

import click

from docs.generate.markdown import page
from mongoclaw_project.cli.main import mongoclaw

_LEAD: Final = """
Results go to standard output, errors and remarks to standard error. The exit code is 0 when the command
worked, 1 when it failed, 2 when it was called wrongly. Every command but `mongoclaw manage` takes `--json`,
before or after its name, and `--debug`, which shows the traceback of an error.

Commands read the settings of the environment and of `.env`, see [settings](settings.md). Beside a running
`mongoclaw dev`, in the same folder, they find its servers by themselves.
"""
_WIDTH: Final = 100
_EVERYWHERE: Final = {"--json", "--debug", "--help"}


def reference() -> str:
    """The whole page."""
    context = click.Context(mongoclaw, info_name="mongoclaw")
    names = mongoclaw.list_commands(context)
    return page("Commands", _LEAD, *(part for name in names for part in _describe(mongoclaw, context, name)))


def _describe(group: click.Group, parent: click.Context, name: str) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise LookupError(f"mongoclaw lists {name} and does not have it")
    context = click.Context(command, info_name=name, parent=parent, max_content_width=_WIDTH)
    level = "##" if parent.parent is None else "###"
    yield f"{level} {context.command_path}"
    yield inspect.cleandoc(command.help or "")
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _describe(command, context, child)
        return
    yield f"    {' '.join([context.command_path, *command.collect_usage_pieces(context)])}"
    options = list(_options(command, context))
    if options:
        yield "\n".join(options)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not _EVERYWHERE.intersection(parameter.opts):
            yield f"- `{record[0]}`{': ' if record[1] else ''}{record[1]}"
