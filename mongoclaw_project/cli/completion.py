"""`mongoclaw completion`."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import fail

_PROGRAM: Final = "mongoclaw"
_VARIABLE: Final = "_MONGOCLAW_COMPLETE"


# \b keeps the lines of a paragraph apart.
_HELP: Final = """Print what lets a shell complete commands and options.

\b
bash:  mongoclaw completion bash > ~/.local/share/bash-completion/completions/mongoclaw
zsh:   mongoclaw completion zsh > ~/.zfunc/_mongoclaw     (~/.zfunc stands in fpath, before compinit)
fish:  mongoclaw completion fish > ~/.config/fish/completions/mongoclaw.fish
"""


@click.command(cls=Command, help=_HELP)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands and options."""
    kind = get_completion_class(shell)
    if kind is None:
        fail(f"this release of click completes nothing for {shell}")
    click.echo(kind(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())
