"""`mongoclaw demo`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mongoclaw_project.cli.command import Command
from mongoclaw_project.config import environment_with_file
from sandbox.demo.__main__ import demo as run


@click.command(cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask before a real model is used.")
@click.option("--sandbox", is_flag=True, help="Use the sandbox model even if there is an API key.")
@click.option("--documents", type=click.IntRange(1, 100_000), default=200, show_default=True)
@click.option("--seed", type=int, default=2026, show_default=True, help="Another seed makes other documents.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".mongoclaw/demo"),
    show_default=True,
    help="Emptied first.",
)
def demo(data_dir: Path, documents: int, seed: int, *, yes: bool, sandbox: bool) -> int:
    """Enrich 200 documents before your eyes, on servers of their own.

    The last line is a JSON object. The exit code is 0 if nothing was lost or doubled.
    """
    return run(
        environment_with_file(os.environ),
        data_dir=data_dir.resolve(),
        documents=documents,
        seed=seed,
        yes=yes,
        sandbox=sandbox,
    )
