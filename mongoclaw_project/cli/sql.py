"""Commands that need the SQL database, and what they say when it does not serve them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection

from agents_app.errors import MongoClawError
from mongoclaw_project.cli.command import Command, Group

_NO_TABLE = ("no such table", "does not exist", "no such column")


class SqlUnusable(MongoClawError):
    """The SQL database cannot be used; look at MONGOCLAW_DATABASE__URL."""

    code = "sql_unusable"


@contextmanager
def explained() -> Iterator[None]:
    """Say in one line, with the remedy, what is wrong with the database. Raises SqlUnusable."""
    try:
        yield
    except ImproperlyConfigured as error:
        raise SqlUnusable("there is no SQL database: set MONGOCLAW_DATABASE__URL") from error
    except (DatabaseError, InterfaceError) as error:
        raise SqlUnusable(complaint(error)) from error


def complaint(error: Exception) -> str:
    """What an error of the SQL database means and what to do about it."""
    text = " ".join(str(error).split())
    if any(sign in text for sign in _NO_TABLE):
        return "the SQL database lacks tables: run `mongoclaw migrate`"
    if connection.vendor == "sqlite":
        if "locked" in text:
            return "the SQLite file stayed locked by another process; try again, or stop what holds it"
        return f"the SQLite file {connection.settings_dict['NAME']} cannot be used: {text}"
    return f"PostgreSQL cannot be used; check MONGOCLAW_DATABASE__URL and that the server runs: {text}"


class SqlCommand(Command):
    """A command whose database errors are explained."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises SqlUnusable."""
        with explained():
            return super().invoke(ctx)


class SqlGroup(Group):
    """A group of such commands."""

    command_class = SqlCommand
