"""The MongoDB that the commands of streams speak to, and what they say when it does not serve them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from pymongo.errors import PyMongoError

from agents_app.errors import Decision, MongoClawError
from mongoclaw_project.cli.doctor.mongodb import client, unusable
from mongoclaw_project.stream_home import Server


class MongoUnusable(MongoClawError):
    """MongoDB does not do what the command needs."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "mongodb_unusable"


@contextmanager
def mongodb() -> Iterator[Server]:
    """Lend the server. Raises MongoUnusable with the remedy in place of pymongo's errors."""
    try:
        with client() as opened:
            yield Server(opened)
    except PyMongoError as error:
        found = unusable(error)
        raise MongoUnusable(f"{found.message}: {found.remedy}") from error
