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
    """The SQL database cannot be used.

    `what` says what is wrong, `remedy` what to do about it.
    """

    code = "sql_unusable"

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


@contextmanager
def explained() -> Iterator[None]:
    """Say in one line, with the remedy, what is wrong with the database. Raises SqlUnusable."""
    try:
        yield
    except ImproperlyConfigured as error:
        raise SqlUnusable("there is no SQL database", "set MONGOCLAW_DATABASE__URL") from error
    except (DatabaseError, InterfaceError) as error:
        raise _understood(error) from error


def _understood(error: Exception) -> SqlUnusable:
    text = " ".join(str(error).split())
    if any(sign in text for sign in _NO_TABLE):
        return SqlUnusable(f"{_named()} lacks tables", "run `mongoclaw migrate`")
    if connection.vendor != "sqlite":
        remedy = "check MONGOCLAW_DATABASE__URL and that the server runs"
        return SqlUnusable(f"PostgreSQL cannot be used ({text})", remedy)
    if "locked" in text:
        return SqlUnusable("another process keeps the SQLite file locked", "try again, or stop that process")
    return SqlUnusable(f"{_named()} cannot be used ({text})", "correct MONGOCLAW_DATABASE__URL")


def _named() -> str:
    """Name a SQLite file, since it may be another one than was meant; PostgreSQL's address holds a password."""
    is_file = connection.vendor == "sqlite"
    return f"the SQLite file {connection.settings_dict['NAME']}" if is_file else "the SQL database"


class SqlCommand(Command):
    """A command whose database errors are explained."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises SqlUnusable."""
        with explained():
            return super().invoke(ctx)


class SqlGroup(Group):
    """A group of such commands."""

    command_class = SqlCommand
