"""A group that imports a command's module only when the command is used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import click

from mongoclaw_project.cli.bootstrap import set_up_django
from mongoclaw_project.cli.command import Group
from mongoclaw_project.cli.output import CommandFailed


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not imported yet: the attribute of its module that has the command's own name."""

    name: str
    help: str
    needs_django: bool = True
    refuses_danger: bool = True

    @property
    def module(self) -> str:
        """The module's name."""
        return f"mongoclaw_project.cli.{self.name}"

    def load(self) -> click.Command:
        """Import the command. Raises CommandFailed if this installation lacks it."""
        if self.needs_django:
            set_up_django(refuse=self.refuses_danger)
        try:
            module = importlib.import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name != self.module:
                raise
            message = f"this installation lacks `mongoclaw {self.name}`: there is no {self.module}"
            raise CommandFailed(message) from error
        command: click.Command = getattr(module, self.name)
        return command


class LazyGroup(Group):
    """A group with fast help: it knows its commands' names and first lines without importing them."""

    def __init__(self, *args: Any, later: tuple[Later, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.later = {command.name: command for command in later}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *self.later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now if need be."""
        if cmd_name in self.later:
            return self.later[cmd_name].load()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        rows = []
        for name in self.list_commands(ctx):
            known = self.commands.get(name)
            rows.append((name, known.get_short_help_str(limit=90) if known else self.later[name].help))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
