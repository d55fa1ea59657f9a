"""Writers, each with documents of its own: what was acknowledged to them is remembered and must not be lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pymongo
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from tests.acceptance.storm.agents import RULES, STAGING, Document, Rule

PAUSE_SECONDS = 0.08
PATIENCE_SECONDS = 20.0
"""Longer than any election: what has no answer then has an unknown outcome."""
MAJORITY = WriteConcern("majority")


@dataclass(slots=True)
class Memory:
    """What one writer was told: the texts that MongoDB has acknowledged, and how many outcomes it never learned."""

    acknowledged: set[str] = field(default_factory=set)
    unknown: int = 0


class Writer(threading.Thread):
    """Changes its own documents in every collection until it is told to stop. Its choices follow from the seed."""

    def __init__(
        self, number: int, mongo: MongoClient[Document], *, seed: int, keys: int, stop: threading.Event
    ) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.memory = Memory()
        self._number = number
        self._mongo = mongo
        self._dice = random.Random(f"{seed} writer {number}")
        self._keys = keys
        self._stop_asked = stop
        self._step = 0

    def run(self) -> None:
        """One change after another."""
        while not self._stop_asked.wait(PAUSE_SECONDS * 2 * self._dice.random()):
            self._step += 1
            self._change(self._dice.choice(RULES))

    def _change(self, rule: Rule) -> None:
        key = f"{rule.collection}-{self._number}-{self._dice.randrange(self._keys)}"
        change = self._dice.choice(CHANGES)
        text = f"{key} in its state {self._number}.{self._step}"
        place = self._mongo[rule.database].get_collection(rule.collection, write_concern=MAJORITY)
        try:
            with pymongo.timeout(PATIENCE_SECONDS):
                told = change(place, key, text, self._dice)
        except PyMongoError:
            self.memory.unknown += 1
        else:
            if told:
                self.memory.acknowledged.add(text)


Change = Callable[[Collection[Document], str, str, random.Random], bool]
"""Makes one change; says whether the text is in the document now."""


def body_of(key: str, text: str, dice: random.Random) -> Document:
    """A whole document; its kind is the same for ever, whatever becomes of it."""
    kind = "lead" if sum(key.encode()) % 2 else "spam"
    return {"text": text, "kind": kind, "open": dice.random() < 0.7, "other": 0}


def _edit(place: Collection[Document], key: str, text: str, dice: random.Random) -> bool:
    body = body_of(key, text, dice)
    del body["text"]
    place.update_one({"_id": key}, {"$set": {"text": text}, "$setOnInsert": body}, upsert=True)
    return True


def _replace(place: Collection[Document], key: str, text: str, dice: random.Random) -> bool:
    place.replace_one({"_id": key}, body_of(key, text, dice), upsert=True)
    return True


def _touch(place: Collection[Document], key: str, text: str, dice: random.Random) -> bool:
    place.update_one({"_id": key}, {"$inc": {"other": 1}})
    return False


def _open(place: Collection[Document], key: str, text: str, dice: random.Random) -> bool:
    place.update_one({"_id": key}, {"$set": {"open": dice.random() < 0.5}})
    return False


def _delete(place: Collection[Document], key: str, text: str, dice: random.Random) -> bool:
    place.delete_one({"_id": key})
    return False


CHANGES: tuple[Change, ...] = (_edit, _edit, _edit, _edit, _replace, _touch, _open, _delete)


class Upheaval(threading.Thread):
    """Drops, renames and re-creates whole collections, and drops a database, every few seconds."""

    def __init__(
        self,
        mongo: MongoClient[Document],
        *,
        seed: int,
        seconds: float,
        stop: threading.Event,
        tell: Callable[[str], object],
    ) -> None:
        super().__init__(name="upheaval", daemon=True)
        self._tell = tell
        self._stagings = 0
        self._mongo = mongo
        self._dice = random.Random(f"{seed} upheaval")
        self._seconds = seconds
        self._stop_asked = stop

    def run(self) -> None:
        """One upheaval after another. What fails is as if it had not been asked for, or as if it was done."""
        while not self._stop_asked.wait(self._seconds * (0.5 + self._dice.random())):
            change = self._dice.choice(
                [self._drop, self._rename_away, self._rename_into, self._drop_database]
            )
            try:
                with pymongo.timeout(PATIENCE_SECONDS):
                    self._tell(change())
            except PyMongoError as error:
                self._tell(f"{change.__name__.strip('_')}: {type(error).__name__}")

    def _drop(self) -> str:
        rule = self._dice.choice(RULES)
        self._mongo[rule.database].drop_collection(rule.collection)
        return f"drop {rule.namespace}"

    def _rename_away(self) -> str:
        rule = self._dice.choice(RULES)
        self._mongo[rule.database][rule.collection].rename(f"{rule.collection}_old", dropTarget=True)
        return f"rename {rule.namespace} away"

    def _rename_into(self) -> str:
        database, name = STAGING
        target = next(rule for rule in RULES if rule.agent == "moved")
        self._stagings += 1
        keys = [f"{name}-{self._stagings}-{part}" for part in range(8)]
        bodies = [{"_id": key, **body_of(key, f"{key} in its state staged", self._dice)} for key in keys]
        self._mongo[database].get_collection(name, write_concern=MAJORITY).insert_many(bodies)
        self._mongo[database][name].rename(target.collection, dropTarget=True)
        return f"rename {database}.{name} into {target.collection}"

    def _drop_database(self) -> str:
        self._mongo.drop_database("attic")
        return "drop the database attic"
