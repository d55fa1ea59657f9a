"""A backfill of documents that exist, and what it costs the changes that come in meanwhile."""

from __future__ import annotations

import base64
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from bson import ObjectId
from redis import Redis

from bench.fleet import Document, run
from bench.scenarios import ticket
from bench.watcher.draining import write
from bench.watcher.stage import QUEUE, Stage, prepare, stage

WINDOW: Final = 8_000
"""Room for all live events, and for as many of the backfill's rows as a watcher of that window sends along."""

BEFORE_SECONDS: Final = 7.0
"""Changes from the last seconds before an agent was enabled may be for it: clocks differ."""

QUIET_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.002
LIVE_PER_SECOND: Final = 50.0
SPAN: Final = "SELECT started_at, ended_at FROM executions_app_backfill WHERE status = 'completed'"


def beside_live(directory: Path, *, documents: int, database: str = "sqlite") -> Document:
    """Documents a second into the ledger; insert-to-broker times of live events without and with it."""
    with stage(directory, database=database, window=WINDOW) as scene:
        write(scene, documents)
        time.sleep(BEFORE_SECONDS)
        prepare(scene)
        with _arrivals(scene.broker) as arrived:
            until = time.monotonic() + QUIET_SECONDS
            quiet = _insert_while(scene, lambda: time.monotonic() < until)
            run(scene.environ, "-m", "mongoclaw_project", "backfill", "bench", "--no-wait")
            busy = _insert_while(scene, lambda: not scene.ledger.ask(SPAN))
            _wait_for_all(scene, arrived, len(quiet) + len(busy))
        seconds = scene.ledger.seconds_between(SPAN)
        by_document = {
            document: arrived[id_] for id_, document in scene.ledger.documents().items() if id_ in arrived
        }
        alone, beside = (_lags(inserted, by_document) for inserted in (quiet, busy))
        return {
            "documents": documents,
            "documents_per_second": round(documents / seconds),
            "live_events_per_second": LIVE_PER_SECOND,
            "live_ms_without": _summary(alone),
            "live_ms_beside": _summary(beside),
        }


def _insert_while(scene: Stage, going_on: Callable[[], bool]) -> dict[str, float]:
    """Insert a document now and then; returns when each was."""
    inserted: dict[str, float] = {}
    begun = time.monotonic()
    for number in range(10**6):
        if not going_on():
            return inserted
        id_ = ObjectId()
        inserted[str(id_)] = time.time()
        scene.mongo.bench.tickets.insert_one({**ticket(number), "_id": id_})
        time.sleep(max(0.0, begun + (number + 1) / LIVE_PER_SECOND - time.monotonic()))
    return inserted


@contextmanager
def _arrivals(broker: Redis) -> Iterator[dict[str, float]]:
    """Look at the messages in the broker as they come; gives when each execution's was there.

    They stay there: rows whose messages are gone while nobody works on them would be sent again.
    """
    arrived: dict[str, float] = {}
    stopping = threading.Event()

    def take() -> None:
        seen = 0
        while not stopping.wait(POLL_SECONDS):
            new = broker.llen(QUEUE) - seen
            if new <= 0:
                continue
            messages = cast("list[bytes]", broker.lrange(QUEUE, 0, new - 1))
            at = time.time()
            seen += new
            for message in messages:
                arrived.setdefault(_execution(message), at)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield arrived
    finally:
        stopping.set()
        thread.join()


def _execution(message: bytes) -> str:
    return str(json.loads(base64.b64decode(json.loads(message)["body"]))[0][0])


def _wait_for_all(scene: Stage, arrived: dict[str, float], count: int) -> None:
    scene.wait(lambda: len(arrived) >= count, seconds=60)
    time.sleep(1)  # for the last live ones among the backfill's own


def _lags(inserted: dict[str, float], arrived: dict[str, float]) -> list[float]:
    return sorted((arrived[id_] - at) * 1000 for id_, at in inserted.items() if id_ in arrived)


def _summary(lags: list[float]) -> Document:
    return {
        "events": len(lags),
        "p50": round(statistics.median(lags), 1),
        "p95": round(lags[int(len(lags) * 0.95)], 1),
        "p99": round(lags[int(len(lags) * 0.99)], 1),
        "max": round(lags[-1], 1),
    }
