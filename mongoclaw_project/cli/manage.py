"""`mongoclaw manage`."""

from __future__ import annotations

import os

import click


@click.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": [],
    }
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Run one of Django's management commands, as `manage.py` does in a clone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    from django.core.management import execute_from_command_line

    from mongoclaw_project.config import current

    current()
    execute_from_command_line(["mongoclaw manage", *arguments])
