"""The stage of the model test: a fleet on three mongods of its own and a broker that may keep its data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pymongo import MongoClient

from sandbox.embedded import ReplicaSet, start_replica_set, start_valkey
from sandbox.errors import BinaryMissing
from tests.acceptance.conftest import Document, Fleet
from tests.acceptance.model.agents import RULES
from tests.acceptance.model.killers import WATCHERS, WORKER, WORKERS
from tests.acceptance.publishing import publish_all

OPLOG_MB = 512
"""Holds the longest run, because the judge reads all of it again."""


@dataclass(frozen=True)
class Stage:
    """Two watchers and two workers at work for all agents."""

    fleet: Fleet
    mongods: ReplicaSet


@pytest.fixture
def mongods(tmp_path: Path) -> Iterator[ReplicaSet]:
    """Three members, empty."""
    try:
        made = start_replica_set(tmp_path / "mongods", oplog_mb=OPLOG_MB)
    except BinaryMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(str(exc))
        pytest.skip(str(exc))
    yield made
    made.stop()


@pytest.fixture
def stage(fleet: Fleet, mongods: ReplicaSet) -> Iterator[Stage]:
    """All processes are under way."""
    mongo: MongoClient[Document] = MongoClient(mongods.url, serverSelectionTimeoutMS=20_000, tz_aware=True)
    fleet.broker.kill()
    fleet.broker = start_valkey(fleet.broker.data_dir, port=fleet.broker.port, append_only=True)
    environ = {**fleet.environ, "MONGOCLAW_MONGODB__URI": mongods.url}
    own = replace(fleet, mongo=mongo, db=mongo["shop"], environ=environ)
    publish_all(own, [own.spec(**rule.changes()) for rule in RULES])
    for name in WATCHERS:
        own.start_module(name, "watcher")
    for name in WORKERS:
        own.start_module(name, *WORKER)
    own.wait_for(lambda: all("watcher.started" in own.log(name) for name in WATCHERS))
    own.wait_for(lambda: own.count("SELECT count(*) FROM executions_app_workerprocess") >= len(WORKERS))
    try:
        yield Stage(own, mongods)
    finally:
        mongo.close()
        own.broker.kill()
