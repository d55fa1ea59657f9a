"""Examining the collections that agents watch: whether they can be watched, and whether they keep images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pymongo.errors import OperationFailure, PyMongoError

from agents_app.spec import AgentSpec
from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor import agents, mongodb
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from watcher.reading.collection import CollectionFacts, collections_of


def examine_collections() -> Iterator[Finding]:
    """Look at each collection that an agent watches; without a readable ledger there are none to look at."""
    try:
        specs = sorted(agents.specs(), key=lambda spec: (spec.watch_namespace, spec.id))
    except sql.SqlUnusable:
        return
    try:
        with mongodb.client() as mongo:
            for database, those in groupby(specs, key=lambda spec: spec.watch.database):
                watching = list(those)
                try:
                    facts = collections_of(mongo.get_database(database))
                except OperationFailure as error:
                    yield doubtful(
                        f"the collections of {database} are not known: {mongodb.words(error)}",
                        f"grant the user listCollections on {database}",
                    )
                    continue
                yield from _database(facts, watching)
    except PyMongoError as error:
        yield mongodb.unusable(error)


def _database(facts: dict[str, CollectionFacts], specs: Sequence[AgentSpec]) -> Iterator[Finding]:
    for (database, name), those in groupby(specs, key=lambda spec: spec.watch_namespace):
        watching = list(those)
        found = facts.get(name)
        if found is not None and found.obstacle is not None:
            names = ", ".join(spec.id for spec in watching)
            yield bad(f"{database}: {found.obstacle}", f"let these agents watch another collection: {names}")
            continue
        if found is None:
            yield good(f"{database}.{name} does not exist yet; its agents wait for its first document")
        yield from _images(f"{database}.{name}", watching, kept=found is not None and found.keeps_images)


def _images(place: str, specs: Sequence[AgentSpec], *, kept: bool) -> Iterator[Finding]:
    asking = [spec for spec in specs if spec.watch.image_settings]
    if asking and kept:
        yield good(f"{place} keeps images of changes")
        return
    for spec in asking:
        required = [name for name in spec.watch.image_settings if getattr(spec.watch, name) == "required"]
        what = f"{place} keeps no images of changes, which {spec.id}"
        remedy = f"let it keep them: `mongoclaw images enable {place}`"
        if required:
            yield bad(f"{what} requires (watch.{', watch.'.join(required)}): its runs fail", remedy)
        else:
            yield doubtful(f"{what} asks for: its prompts do without them", remedy)
