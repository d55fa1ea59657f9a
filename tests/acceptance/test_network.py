"""A leader that is cut off from MongoDB without being told: another takes over, and it changes nothing afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from tests.acceptance.conftest import Document, Fleet
from tests.acceptance.relay import Relay
from tests.acceptance.storm.witness import Saved, now_of, read_history

ENRICHED_TWICE = """
SELECT count(*) FROM executions_app_execution WHERE status = 'completed' GROUP BY subject HAVING count(*) > 1
"""


@pytest.fixture
def network(mongo: MongoClient[Document]) -> Iterator[Relay]:
    """The way to the primary."""
    primary = mongo.primary
    assert primary is not None
    with Relay(primary[1]) as relay:
        yield relay


def test_a_leader_cut_off_from_mongodb_loses_its_leases_in_time_and_writes_nothing_once_it_is_back(
    fleet: Fleet, network: Relay
) -> None:
    # A direct connection, or the driver would ask the server for its real address.
    uri = f"mongodb://127.0.0.1:{network.port}/?directConnection=true"
    behind = replace(fleet, environ={**fleet.environ, "MONGOCLAW_MONGODB__URI": uri})
    fleet.publish()
    fleet.start_worker()
    behind.start_watcher("cut")
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.enriched() == 20)
    fleet.start_watcher("other")
    since = now_of(fleet.mongo)

    network.darken()
    fleet.insert(20, start=20)

    fleet.wait_for(lambda: fleet.enriched() == 40, seconds=20)
    fleet.wait_for(lambda: "lease.ran_out" in fleet.log("cut"), seconds=20)
    fenced_since = terms(fleet)

    network.heal()
    fleet.wait_for(lambda: watchers_alive(fleet) == 2, seconds=40)
    fleet.insert(20, start=40)
    fleet.wait_for(lambda: fleet.enriched() == 60)
    fleet.wait_until_idle()

    assert fleet.model.calls()["total"] == 60
    assert not fleet.rows(ENRICHED_TWICE)
    history = read_history(fleet.mongo, since, home=home(fleet).name)
    assert not written_back(history.positions)
    assert all(term >= fenced_since[name] for name, term in terms(fleet).items())


def home(fleet: Fleet) -> Database[Document]:
    """Where MongoClaw keeps its own."""
    return fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]


def terms(fleet: Fleet) -> dict[str, int]:
    """The term of each lease."""
    return {str(lease["_id"]): int(lease["term"]) for lease in home(fleet).leases.find()}


def watchers_alive(fleet: Fleet) -> int:
    """How many watchers say that they live, by the server's clock."""
    return home(fleet).watchers.count_documents({"$expr": {"$gt": ["$expires_at", "$$NOW"]}})


def written_back(positions: tuple[Saved, ...]) -> list[Saved]:
    """Name the positions that lie before one written earlier, or were written under an earlier term."""
    last: dict[str, tuple[Timestamp, int]] = {}
    found = []
    for saved in positions:
        time, term = last.get(saved.unit, (saved.position, 0))
        now = term if saved.term < 0 else saved.term
        if saved.position < time or now < term:
            found.append(saved)
        last[saved.unit] = (saved.position, now)
    return found
