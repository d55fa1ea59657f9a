"""`mongoclaw images`: whether MongoDB keeps documents as they were before and after their changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from mongoclaw_project.cli.command import Command, Group
from mongoclaw_project.cli.doctor import mongodb
from mongoclaw_project.cli.output import done, fail, note, show
from watcher.reading.collection import CollectionFacts, collections_of

Document = dict[str, Any]

_PLACE = click.argument("place", metavar="DATABASE.COLLECTION")
_YES = click.option("-y", "--yes", "-f", "--force", "yes", is_flag=True, help="Do not ask.")
_COST: Final = """\
MongoDB will store, for each update, replace and delete in {place}, the document as it was before, in the
collection config.system.preimages: each such write then writes that document once more, and the disk holds it until
the change leaves the oplog, or for expireAfterSeconds where that is set ({expiry})."""
_LOSS: Final = """\
Agents that ask for images of {place} will find none of later changes: where they require them, their runs fail."""


@click.group(cls=Group)
def images() -> None:
    """Keep documents as they were before and after each change, or stop that.

    Agents use them by watch.full_document_before_change and watch.full_document. Needs MongoDB 6.0 or newer.
    """


@images.command(cls=Command)
@_PLACE
def status(place: str) -> None:
    """Say whether a collection keeps images, and for how long."""
    with _server() as mongo:
        facts, expiry = _facts(mongo, place), _expiry(mongo)
    kept = f"kept; expireAfterSeconds: {expiry}" if facts.keeps_images else "not kept"
    data = {"collection": place, "kept": facts.keeps_images, "expire_after_seconds": expiry}
    show(data, text=f"Images of changes in {place} are {kept}.")


@images.command(cls=Command)
@_PLACE
@_YES
def enable(place: str, *, yes: bool) -> None:
    """Let MongoDB keep images of the changes that come from now on."""
    with _server() as mongo:
        facts = _facts(mongo, place)
        if facts.obstacle is not None:
            fail(facts.obstacle)
        if not facts.keeps_images:
            _confirm(_COST.format(place=place, expiry=_expiry(mongo)), yes=yes)
            _switch(mongo, place, enabled=True)
    done(f"Images of changes in {place} are kept", collection=place, kept=True)


@images.command(cls=Command)
@_PLACE
@_YES
def disable(place: str, *, yes: bool) -> None:
    """Let MongoDB keep no more images of changes."""
    with _server() as mongo:
        if _facts(mongo, place).keeps_images:
            _confirm(_LOSS.format(place=place), yes=yes)
            _switch(mongo, place, enabled=False)
    done(f"Images of changes in {place} are no longer kept", collection=place, kept=False)


def _confirm(consequence: str, *, yes: bool) -> None:
    note(consequence)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)


@contextmanager
def _server() -> Iterator[MongoClient[Document]]:
    try:
        with mongodb.client() as mongo:
            yield mongo
    except PyMongoError as error:
        found = mongodb.unusable(error)
        fail(f"{found.message}: {found.remedy}")


def _split(place: str) -> tuple[str, str]:
    database, dot, collection = place.partition(".")
    if not (database and dot and collection):
        raise click.BadParameter(
            "give it as DATABASE.COLLECTION, such as shop.orders", param_hint="DATABASE.COLLECTION"
        )
    return database, collection


def _facts(mongo: MongoClient[Document], place: str) -> CollectionFacts:
    database, name = _split(place)
    found = collections_of(mongo.get_database(database), name).get(name)
    if found is None:
        fail(f"There is no collection {place}; create it first, for example by its first document")
    return found


def _expiry(mongo: MongoClient[Document]) -> str:
    """Tell expireAfterSeconds: a number, `off`, or `unknown` where reading it is not allowed."""
    try:
        reply = mongo.admin.command({"getClusterParameter": "changeStreamOptions"})
    except OperationFailure:
        return "unknown"
    options = reply["clusterParameters"][0].get("preAndPostImages", {})
    return str(options.get("expireAfterSeconds", "off"))


def _switch(mongo: MongoClient[Document], place: str, *, enabled: bool) -> None:
    database, name = _split(place)
    mongo.get_database(database).command(
        {"collMod": name, "changeStreamPreAndPostImages": {"enabled": enabled}}
    )
