"""Click's command and group, with the options that every command of ours has."""

from __future__ import annotations

from typing import Any

import click


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and parameter.name is not None:
        context.find_root().meta[f"mongoclaw.{parameter.name}"] = True


def is_set(option: str) -> bool:
    """Whether a common option (`as_json`, `debug`) was given before or after the command's name."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().meta.get(f"mongoclaw.{option}"))


def common_options() -> list[click.Option]:
    """New instances of the options that every command has."""
    return [
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print JSON.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Show tracebacks of errors.",
        ),
    ]


class Command(click.Command):
    """A command with the common options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = {name for parameter in self.params for name in parameter.opts}
        self.params += [option for option in common_options() if not taken.intersection(option.opts)]


class Group(click.Group):
    """A group whose commands have the common options, and so has it."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()


Group.group_class = Group
