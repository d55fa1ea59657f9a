"""`mongoclaw migrate`."""

from __future__ import annotations

import click

from mongoclaw_project.cli.command import Command, is_set
from mongoclaw_project.cli.output import done, fail, wants_json


@click.command(cls=Command)
def migrate() -> None:
    """Create or update the tables of the SQL database."""
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError
    from django.db import DatabaseError, connection

    try:
        call_command("migrate", interactive=False, verbosity=0 if wants_json() else 1)
    except SystemCheckError as error:
        fail(str(error).strip())
    except DatabaseError as error:
        if is_set("debug"):
            raise
        fail(f"the SQL database cannot be migrated: {' '.join(str(error).split())}")
    done("The tables are up to date", vendor=connection.vendor)
