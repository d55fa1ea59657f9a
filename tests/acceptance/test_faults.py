"""Random SIGKILLs of everything under load; then every document is looked at. Run by `make faults`."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sandbox.embedded import start_mongod, start_valkey
from sandbox.embedded.server import RunningServer
from tests.acceptance.conftest import Document, Fleet

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("MONGOCLAW_TEST_KILLS", "40"))
SEED = int(os.environ.get("MONGOCLAW_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
PAUSE_SECONDS = 2.0
WRITERS = 3
KEYS = 150


class Storm:
    """A fleet on a MongoDB of its own, so that this too can be killed, and what writes to it."""

    def __init__(self, fleet: Fleet, mongod: RunningServer) -> None:
        self.mongod = mongod
        uri = f"{mongod.url}&retryWrites=true&serverSelectionTimeoutMS=20000"
        self.mongo: MongoClient[Document] = MongoClient(uri)
        environ = {**fleet.environ, "MONGOCLAW_MONGODB__URI": mongod.url}
        self.fleet = replace(fleet, mongo=self.mongo, db=self.mongo["storm"], environ=environ)
        self.random = random.Random(SEED)
        self.calm = threading.Event()
        self.lives = 0

    def kill_something(self) -> str:
        """Kill one part with SIGKILL and bring it back."""
        victim = self.random.choice(["watcher", "worker", "worker", "broker", "mongod"])
        if victim == "mongod":
            self.mongod.kill()
            self.mongod = start_mongod(self.fleet.directory / "mongod")
        elif victim == "broker":
            port = int(self.fleet.broker.url.rpartition(":")[2].partition("/")[0])
            self.fleet.broker.kill()
            self.lives += 1
            self.fleet.broker = start_valkey(self.fleet.directory / f"valkey-{self.lives}", port=port)
        else:
            self.fleet.kill(victim)
            words = {"watcher": ("watcher",), "worker": WORKER}[victim]
            self.fleet.start_module(victim, *words)
        return victim

    def write(self, number: int) -> None:
        """Insert, edit and delete this writer's own documents until it is calm; every change is acknowledged."""
        dice = random.Random(SEED + number)
        tickets = self.fleet.db.tickets
        step = 0
        while not self.calm.wait(0.02):
            step += 1
            key = f"{number}-{dice.randrange(KEYS)}"
            text = f"ticket {key} in its state {step}"
            try:
                if dice.random() < 0.1:
                    tickets.delete_one({"_id": key})
                else:
                    tickets.update_one({"_id": key}, {"$set": {"text": text}}, upsert=True)
            except PyMongoError:
                continue


WORKER = (
    *("celery", "-A", "mongoclaw_project", "worker", "--pool", "threads", "--concurrency", "32"),
    *("-Q", "mongoclaw", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
)


@pytest.fixture
def storm(fleet: Fleet, tmp_path: Path) -> Iterator[Storm]:
    """Watcher and worker under way on servers that may die."""
    made = Storm(fleet, start_mongod(tmp_path / "mongod"))
    made.fleet.publish(watch={"database": "storm", "operations": ["insert", "update", "replace"]})
    made.fleet.start()
    yield made
    made.calm.set()
    made.mongo.close()
    made.fleet.broker.kill()
    made.mongod.kill()


@pytest.mark.timeout(1800)
def test_random_kills_of_everything_lose_nothing_and_leave_nothing_stale(storm: Storm) -> None:
    print(f"\nseed {SEED}, {KILLS} kills")
    storm.fleet.model.set_latency("50-300")
    writers = [threading.Thread(target=storm.write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    killed = []
    for _ in range(KILLS):
        storm.calm.wait(PAUSE_SECONDS * storm.random.random())
        killed.append(storm.kill_something())
    storm.calm.set()
    for writer in writers:
        writer.join(60)

    storm.fleet.wait_for(lambda: not wrong(storm), seconds=180)

    assert wrong(storm) == []
    calls = storm.fleet.model.calls()
    repeated = sum(count - 1 for count in calls["per_prompt"].values())
    total = storm.fleet.db.tickets.count_documents({})
    print(
        json.dumps({"kills": len(killed), "documents": total, "calls": calls["total"], "repeated": repeated})
    )


def wrong(storm: Storm) -> list[Any]:
    """Name the documents whose answer is missing or is not the answer to their present text."""
    answers = {call["prompt"]: call["answer"] for call in storm.fleet.model.log() if call["answer"]}
    found = []
    for ticket in storm.fleet.db.tickets.find():
        answer = answers.get(f"Sort this ticket: {ticket['text']}")
        if answer is None or json.loads(answer) != ticket.get("ai"):
            found.append(ticket["_id"])
    return found
