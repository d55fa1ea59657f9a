"""What users of other change-data-capture systems complain of most: twelve things that cannot happen here.

The complaints are numbered as in the research that this project began with, by how many people have them.
"""

from __future__ import annotations

import socket
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from sandbox.embedded import start_mongod
from tests.acceptance.conftest import Document, Fleet
from tests.acceptance.publishing import publish_all
from tests.acceptance.relay import Relay
from tests.acceptance.storm.witness import now_of, pack, read_history
from tests.oplog import forgets

ROWS = "SELECT count(*) FROM executions_app_execution"
GAPS = "SELECT kind FROM executions_app_streamgap"


@pytest.fixture(autouse=True)
def _positions_are_stored_often(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WATCHER__POSITION_INTERVAL_SECONDS"] = "0.2"
    fleet.environ["MONGOCLAW_WATCHER__POSITION_IDLE_SECONDS"] = "0.2"


def home(fleet: Fleet) -> Database[Document]:
    """Where MongoClaw keeps its own."""
    return fleet.mongo[fleet.environ["MONGOCLAW_MONGODB__DATABASE"]]


def reached(fleet: Fleet) -> Timestamp:
    """The stored position of the test's database."""
    found = home(fleet).resume_tokens.find_one({"_id": fleet.db.name})
    time_: Timestamp = found["cluster_time"] if found else Timestamp(0, 0)
    return time_


def wait_for_rows(fleet: Fleet, count: int) -> None:
    """Wait until so many events are on record."""
    fleet.wait_for(lambda: fleet.count(ROWS) == count)


@pytest.fixture
def short_memory(fleet: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """The fleet on a MongoDB of its own that remembers the last megabyte of changes."""
    # The oplog is cut at checkpoints only, which come once a minute otherwise.
    server = start_mongod(tmp_path / "short", oplog_mb=1, options=("--syncdelay", "1"))
    with MongoClient[Document](server.url) as mongo:
        environ = {**fleet.environ, "MONGOCLAW_MONGODB__URI": server.url}
        yield replace(fleet, mongo=mongo, db=mongo[fleet.db.name], environ=environ)
    for child in fleet.children.values():
        child.kill()
    server.stop()


def test_1_a_lost_position_is_no_hot_loop_no_end_and_no_silent_skip(short_memory: Fleet) -> None:
    fleet = short_memory
    fleet.publish()
    fleet.start()
    fleet.insert(5)
    fleet.wait_for(lambda: fleet.enriched() == 5)
    fleet.stop("watcher")
    fleet.insert(5, start=5)
    fleet.wait_for(forgets(fleet.mongo, reached(fleet)))

    fleet.start_watcher("again")

    fleet.wait_for(lambda: fleet.enriched() == 10)
    assert fleet.rows(GAPS) == [("history_lost",)]
    fleet.wait_for(lambda: fleet.rows("SELECT status FROM executions_app_streamgap") == [("closed",)])
    assert fleet.log("again").count("reader.waiting") < 5
    assert fleet.model.calls()["total"] == 10


def test_2_the_position_moves_on_while_nothing_matches(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.db.noise.insert_one({})
    noise = now_of(fleet.mongo)

    fleet.wait_for(lambda: reached(fleet) >= noise)

    assert fleet.count(ROWS) == 0
    fleet.kill("watcher")
    fleet.start_watcher("again")
    fleet.insert(3)
    wait_for_rows(fleet, 3)
    assert fleet.rows(GAPS) == []


def test_3_another_filter_and_other_collections_leave_the_position_good(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.insert(3)
    wait_for_rows(fleet, 3)
    fleet.stop("watcher")
    watch = {"database": fleet.db.name, "collection": "letters", "operations": ["insert", "delete"]}
    fleet.publish(watch={"filter": {"text": {"$ne": "unwanted"}}})
    fleet.publish(id="letters", watch=watch)
    fleet.insert(3, start=3)
    fleet.db.letters.insert_many([{"_id": number, "text": "Dear all"} for number in range(3)])

    fleet.start_watcher("again")

    wait_for_rows(fleet, 9)
    assert fleet.rows(GAPS) == []
    # The token is good for the pipeline that it came from, and the time for any.
    assert '"start": "StartPoint(token=None, time=Timestamp(' in fleet.log("again")
    assert "reader.waiting" not in fleet.log("again")


def test_4_a_snapshot_that_is_interrupted_goes_on_and_does_not_begin_again(fleet: Fleet) -> None:
    fleet.insert(250)
    fleet.publish()
    fleet.start()
    fleet.cli("backfill", "support", "--rate", "100", "--no-wait")
    fleet.wait_for(lambda: fleet.count(ROWS) > 50)

    fleet.kill("watcher")
    fleet.start_watcher("again")

    fleet.wait_for(lambda: fleet.enriched() == 250)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 250
    fleet.wait_for(lambda: fleet.rows("SELECT status FROM executions_app_backfill") == [("completed",)])
    assert fleet.count("SELECT sum(read) FROM executions_app_backfillrange") == 250


def test_4_a_snapshot_that_outlives_the_oplog_costs_no_change(short_memory: Fleet) -> None:
    fleet = short_memory
    fleet.insert(60)
    fleet.publish(watch={"operations": ["update"]})
    fleet.start()
    fleet.cli("backfill", "support", "--rate", "3", "--no-wait")
    begun: Timestamp = fleet.mongo.admin.command("ping")["operationTime"]

    fleet.wait_for(forgets(fleet.mongo, begun))
    rolled_over: Timestamp = fleet.mongo.admin.command("ping")["operationTime"]
    fleet.wait_for(lambda: reached(fleet) > rolled_over)
    assert fleet.rows("SELECT status FROM executions_app_backfill") == [("running",)]
    fleet.kill("watcher")
    fleet.db.tickets.update_one({"_id": 59}, {"$set": {"text": "changed meanwhile"}})
    fleet.start_watcher("again")

    fleet.wait_for(lambda: fleet.rows("SELECT status FROM executions_app_backfill") == [("completed",)])
    fleet.wait_for(lambda: fleet.enriched() == 60)
    fleet.wait_until_idle()
    assert not fleet.rows(GAPS)
    asked = [entry["prompt"] for entry in fleet.model.log()]
    assert sum("changed meanwhile" in prompt for prompt in asked) == 1


def test_5_a_watcher_that_is_cut_off_does_not_look_healthy(fleet: Fleet) -> None:
    assert fleet.mongo.primary is not None
    with Relay(fleet.mongo.primary[1]) as network, socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        held.close()
        watcher = {
            "MONGOCLAW_MONGODB__URI": f"mongodb://127.0.0.1:{network.port}/?directConnection=true",
            "MONGOCLAW_WATCHER__METRICS_PORT": str(port),
            "MONGOCLAW_WATCHER__UNPOLLED_SECONDS": "3",
        }
        cut = replace(fleet, environ={**fleet.environ, **watcher})
        cut.publish()
        cut.start_watcher()
        fleet.wait_for(lambda: is_ready(port))

        network.darken()
        fleet.wait_for(lambda: not is_ready(port))

        network.heal()
        fleet.wait_for(lambda: is_ready(port))


def is_ready(port: int) -> bool:
    """What an orchestrator is told."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
            return True
    except HTTPError:
        return False


def test_6_an_event_over_16_mb_does_not_poison_the_stream(fleet: Fleet) -> None:
    fleet.publish(
        watch={"operations": ["insert", "update", "replace"]}, write={"target_collection": "answers"}
    )
    fleet.start()
    # Who asks for events with what changed and the document as it is now cannot be sent the update: it has 32 MB.
    blob = b"x" * (16 * 1024 * 1024 - 200)
    fleet.db.tickets.insert_one({"_id": "big", "text": "large", "blob": blob})
    fleet.db.tickets.update_one({"_id": "big"}, {"$set": {"blob": blob[:-1], "text": "large again"}})
    fleet.db.tickets.replace_one({"_id": "big"}, {"text": "large at last", "blob": blob})
    fleet.db.tickets.insert_one({"_id": "small", "text": "small"})

    fleet.wait_for(lambda: fleet.db.answers.count_documents({"ai": {"$exists": True}}) == 2)
    fleet.wait_until_idle()

    assert fleet.rows(GAPS) == []
    assert "reader.waiting" not in fleet.log("watcher")


def test_7_documents_that_are_gone_when_they_are_looked_at_stop_nothing(fleet: Fleet) -> None:
    fleet.publish(watch={"filter": {"text": {"$exists": True}}})
    fleet.publish(id="unfiltered", write={"target_field": "other"})
    fleet.start()
    watcher = fleet.children["watcher"]
    for number in range(100):
        fleet.db.tickets.insert_one({"_id": f"gone-{number}", "text": "short-lived"})
        fleet.db.tickets.delete_one({"_id": f"gone-{number}"})
    fleet.insert(1)

    fleet.wait_for(
        lambda: fleet.db.tickets.count_documents({"ai": {"$exists": True}, "other": {"$exists": True}})
    )
    fleet.wait_until_idle()

    assert watcher.is_alive()
    assert fleet.count(f"{ROWS} WHERE status = 'failed'") == 0


@pytest.fixture
def three_databases(fleet: Fleet) -> Iterator[list[str]]:
    """Names of databases, dropped after the test."""
    names = [f"{fleet.db.name}_{number}" for number in range(3)]
    yield names
    for name in names:
        fleet.mongo.drop_database(name)


def test_8_a_thousand_agents_over_200_collections_in_3_databases_take_3_cursors(
    fleet: Fleet, three_databases: list[str]
) -> None:
    watched = [(three_databases[number % 3], f"tickets_{number % 200}") for number in range(600)]
    places = sorted(set(watched))
    specs = []
    for number in range(1000):
        database, collection = places[number % len(places)]
        changes = {"id": f"agent-{number}", "write": {"target_field": f"ai_{number}"}}
        specs.append(fleet.spec(watch={"database": database, "collection": collection}, **changes))
    publish_all(fleet, specs)

    fleet.start_watcher()

    fleet.wait_for(lambda: open_streams(fleet, three_databases) == 3)
    database, collection = places[0]
    fleet.mongo[database][collection].insert_one({"text": "for all agents of this collection"})
    wanted = sum(spec["watch"] == {"database": database, "collection": collection} for spec in specs)
    wait_for_rows(fleet, wanted)
    assert open_streams(fleet, three_databases) == 3


def open_streams(fleet: Fleet, databases: list[str]) -> int:
    """Count the change streams that the server holds open for these databases, busy or idle."""
    stream = {"cursor.originatingCommand.pipeline.0.$changeStream": {"$exists": True}}
    ours = {"cursor.originatingCommand.$db": {"$in": databases}}
    found = fleet.mongo.admin.aggregate(
        [{"$currentOp": {"allUsers": True, "idleCursors": True}}, {"$match": {**stream, **ours}}]
    )
    return len(list(found))


@pytest.mark.faults
def test_9_a_divided_stream_keeps_the_order_of_each_document(fleet: Fleet) -> None:
    fleet.publish(execution={"coalesce": False})
    fleet.cli("streams", "partition", fleet.db.name, "2")
    fleet.start()
    fleet.start_watcher("second")
    fleet.insert(20)
    for edit in range(1, 10):
        for number in range(20):
            fleet.db.tickets.update_one({"_id": number}, {"$set": {"text": f"{number} in its state {edit}"}})

    wait_for_rows(fleet, 200)
    fleet.wait_until_idle()

    assert open_streams(fleet, [fleet.db.name]) == 2
    ends = defaultdict(list)
    query = "SELECT document_id, completed_at FROM executions_app_execution ORDER BY event_time, sequence"
    for key, completed_at in fleet.rows(query):
        ends[key].append(completed_at)
    assert [len(times) for times in ends.values()] == [10] * 20
    assert all(earlier <= later for times in ends.values() for earlier, later in pairwise(times))


def test_10_two_watchers_do_not_take_turns_while_both_live(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    fleet.wait_for(lambda: "stream.opened" in fleet.log("watcher"))
    fleet.start_watcher("second")
    lease = {"_id": f"stream:{fleet.db.name}"}
    before = home(fleet).leases.find_one(lease)
    assert before is not None

    renewals = set()

    def was_renewed_often() -> bool:
        now = home(fleet).leases.find_one(lease)
        assert now is not None
        assert (now["holder"], now["term"]) == (before["holder"], before["term"])
        renewals.add(now["renewed_at"])
        return len(renewals) >= 5

    fleet.wait_for(was_renewed_often)
    assert "stream.opened" not in fleet.log("second")


def test_11_a_position_is_each_databases_own_and_never_goes_back(
    fleet: Fleet, three_databases: list[str]
) -> None:
    publish_all(fleet, [fleet.spec(id=name, watch={"database": name}) for name in three_databases])
    since = now_of(fleet.mongo)
    for life in range(2):
        fleet.start_watcher(f"watcher-{life}")
        for number in range(30):
            name = three_databases[number % 3]
            fleet.mongo[name].tickets.insert_one({"text": f"ticket {number} of life {life}"})
        wait_for_rows(fleet, 30 * (life + 1))
        if life == 0:
            fleet.kill("watcher-0")  # perhaps before it has kept each position

    def kept() -> dict[str, list[str]]:
        by_unit: defaultdict[str, list[str]] = defaultdict(list)
        for saved in read_history(fleet.mongo, since, home=home(fleet).name).positions:
            by_unit[saved.unit].append(pack(saved.position))
        return by_unit

    fleet.wait_for(lambda: sorted(kept()) == sorted(three_databases))
    fleet.kill("watcher-1")
    by_unit = kept()
    assert all(times == sorted(times) for times in by_unit.values())


def test_12_a_long_oplog_of_others_does_not_keep_a_selective_agent_waiting(fleet: Fleet) -> None:
    fleet.publish(watch={"filter": {"text": "wanted"}})
    fleet.start_watcher()
    fleet.wait_for(lambda: "stream.opened" in fleet.log("watcher"))
    fleet.stop("watcher")
    for _ in range(20):
        fleet.db.noise.insert_many([{"filling": "x" * 500} for _ in range(1000)])
    fleet.db.tickets.insert_one({"text": "wanted"})
    noise = now_of(fleet.mongo)

    fleet.start_watcher("again")

    fleet.wait_for(lambda: fleet.count(ROWS) == 1, seconds=15)
    fleet.wait_for(lambda: reached(fleet) >= noise, seconds=15)
