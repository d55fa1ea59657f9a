"""From an insert to its message in the broker, at a steady rate that leaves the watcher time."""

from __future__ import annotations

import json
import statistics
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bson import ObjectId
from pymongo import MongoClient

from bench.fleet import Document
from bench.scenarios import ticket
from bench.watcher.raw import now_of
from bench.watcher.stage import QUEUE, Stage, prepare, stage

POLL_SECONDS: Final = 0.0005
WRITERS: Final = 8
POSITIONS: Final = "resume_tokens"


def commit_to_broker(directory: Path, *, rate: int, seconds: int) -> Document:
    """Insert one document at a time from a process of its own and see when each message is in the broker.

    The time counts from before the insert is sent, so the server's own commit is part of it.
    """
    with stage(directory) as scene, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        prepare(scene)
        address = scene.environ["MONGOCLAW_MONGODB__URI"]
        pool.submit(insert_steadily, address, rate, 1).result()
        scene.wait(lambda: scene.published() == 1 + rate, seconds=60)
        since, begun = now_of(scene.mongo), time.monotonic()
        writing = pool.submit(insert_steadily, address, rate, seconds)
        arrived = _arrivals(scene, writing, documents=rate * seconds)
        elapsed = time.monotonic() - begun
        sent = writing.result()
        documents = scene.ledger.documents()
        seen = {documents[id_]: moment for id_, moment in arrived.items()}
        waits = sorted((seen[key] - moment) * 1000 for key, moment in sent.items())
        return {
            "documents": len(waits),
            "documents_per_second": round(len(waits) / (max(sent.values()) - min(sent.values()))),
            "insert_to_broker_ms": {
                "p50": round(statistics.median(waits), 1),
                "p99": round(waits[int(len(waits) * 0.99)], 1),
                "max": round(waits[-1], 1),
            },
            "position_writes_per_second": round(_position_writes(scene, since) / elapsed, 2),
        }


def insert_steadily(address: str, rate: int, seconds: int) -> dict[str, float]:
    """Insert so many documents a second; returns when each was sent, on the system's monotonic clock.

    With the server's default write concern: it puts off the commit of what nobody waits for by up to 100 ms.
    """
    sent: dict[str, float] = {}
    with MongoClient[Document](address) as mongo, ThreadPoolExecutor(WRITERS) as writers:
        started = time.monotonic()

        def insert_share(first: int) -> None:
            for number in range(first, rate * seconds, WRITERS):
                time.sleep(max(0.0, started + number / rate - time.monotonic()))
                key = ObjectId()
                sent[str(key)] = time.monotonic()
                mongo.bench.tickets.insert_one({**ticket(number), "_id": key})

        list(writers.map(insert_share, range(WRITERS)))
    return sent


def _arrivals(scene: Stage, writing: Future[Any], *, documents: int) -> dict[str, float]:
    """Look at the queue, which nobody empties, until everything is there; returns when each message came."""
    seen = known = scene.published()
    messages: list[tuple[bytes | str, float]] = []
    deadline = time.monotonic() + 120
    while seen - known < documents:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen - known} of {documents} messages came")
        if writing.done():
            writing.result()
        time.sleep(POLL_SECONDS)
        depth = scene.published()
        if depth > seen:
            moment = time.monotonic()
            # Counted from the end, where the oldest is: new ones come in at the front.
            found = scene.broker.lrange(QUEUE, -depth, -seen - 1)
            messages += [(message, moment) for message in found]
            seen = depth
    return {json.loads(message)["headers"]["id"]: moment for message, moment in messages}


def _position_writes(scene: Stage, since: Any) -> int:
    written = {"ts": {"$gte": since}, "ns": {"$regex": rf"\.{POSITIONS}$"}}
    return scene.mongo.local["oplog.rs"].count_documents(written)
