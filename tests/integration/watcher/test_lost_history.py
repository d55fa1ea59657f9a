"""An oplog that has really run over: each agent's policy, each loss on record once, and nothing more is lost."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from pymongo import MongoClient

from agents_app.models import Agent
from executions_app import gaps
from executions_app.fence import Term
from executions_app.gaps import NewGap
from executions_app.identity import pack_time
from executions_app.models import Backfill, GapStatus, StreamGap
from sandbox.embedded import start_mongod
from sandbox.errors import BinaryMissing
from tests.conditions import eventually
from tests.integration.watcher.streams import READER, Station
from tests.oplog import forgets
from watcher.reading import losses
from watcher.reading.cluster import oldest_entry
from watcher.reading.status import StreamState

pytestmark = [pytest.mark.sql, pytest.mark.django_db(transaction=True)]
Document = dict[str, Any]

POLICIES = ("fail", "backfill", "skip_with_gap_record")


@pytest.fixture
def small_mongod(tmp_path: Path) -> Iterator[str]:
    """A server whose oplog holds little and forgets quickly; a new one, whose oplog is whole at first."""
    try:
        # The oplog is cut only up to the last checkpoint, which is a minute apart by default.
        server = start_mongod(tmp_path / "small", oplog_mb=1, options=("--syncdelay", "1"))
    except BinaryMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    yield server.url
    server.kill()


@pytest.fixture
def station(small_mongod: str) -> Iterator[Station]:
    """A reader of a database of its own."""
    with MongoClient[Document](small_mongod, appname=READER) as client:
        yield Station(client, f"t_{uuid.uuid4().hex[:12]}")


def insert(station: Station, *keys: str) -> None:
    station.db.tickets.insert_many([{"_id": key, "text": "x"} for key in keys])


def let_the_oplog_run_over(station: Station) -> None:
    """Write until the oplog no longer holds what is in it now."""
    now = station.client.admin.command("ping")["operationTime"]
    eventually(forgets(station.client, now), seconds=60)


def status_of(agent_id: str) -> str:
    return StreamGap.objects.get(agent_id=agent_id).status


def test_each_policy_does_what_it_says_and_nobody_loses_more_than_the_oplog_lost(station: Station) -> None:
    for policy in POLICIES:
        station.agent(policy.split("_")[0], on_history_lost=policy)
    with station.reading():
        insert(station, "seen")
        for agent_id in ("fail", "backfill", "skip"):
            station.wait_for(agent_id, "seen")
    reached = station.position()
    assert reached is not None
    insert(station, "lost")
    let_the_oplog_run_over(station)
    insert(station, "after")

    with station.reading() as reader:
        for agent_id in ("backfill", "skip"):
            station.wait_for(agent_id, "after")
        insert(station, "later")
        for agent_id in ("backfill", "skip"):
            station.wait_for(agent_id, "later")

        assert {row.agent_id: row.status for row in StreamGap.objects.all()} == {
            "fail": GapStatus.OPEN,
            "backfill": GapStatus.BACKFILLING,
            "skip": GapStatus.OPEN,
        }
        assert {row.since for row in StreamGap.objects.all()} == {pack_time(reached.time)}
        assert Backfill.objects.get().agent_id == "backfill"
        assert station.documents_of("fail") == ["seen"], "held until somebody has decided"
        assert Agent.objects.get(pk="fail").health == "unhealthy"

        gap = StreamGap.objects.get(agent_id="fail")
        gaps.close(gap.id, by="tests", resolution="known", now=datetime.now().astimezone())
        station.wait_for("fail", "after", "later")
        assert eventually(lambda: reader.status().state is StreamState.LIVE)

    for agent_id in ("fail", "backfill", "skip"):
        assert sorted(station.documents_of(agent_id)) == ["after", "later", "seen"]
    assert StreamGap.objects.count() == 3


def test_a_crash_between_the_gap_and_the_new_position_finds_the_same_gap_and_what_is_lost_behind_it(
    station: Station,
) -> None:
    station.agent("backfill", on_history_lost="backfill")
    with station.reading():
        insert(station, "seen")
        station.wait_for("backfill", "seen")
    let_the_oplog_run_over(station)
    before = station.position()
    assert before is not None
    recorded: list[Sequence[NewGap]] = []

    def record_and_crash(found: Sequence[NewGap], term: Term, now: datetime) -> None:
        losses.record(found, term, now)
        recorded.append(found)
        raise OperationalError("killed here")

    with station.reading(record=record_and_crash):
        eventually(lambda: recorded)
    assert station.position() == before
    assert StreamGap.objects.count() == 1
    let_the_oplog_run_over(station)

    with station.reading():
        insert(station, "after")
        station.wait_for("backfill", "after")
    # What was lost after the crash is a gap behind the first, whose backfill may have read everything before.
    first, second = StreamGap.objects.order_by("since")
    assert (first.since, second.since) == (pack_time(before.time), first.until)
    assert {first.status, second.status} == {GapStatus.BACKFILLING}


def test_a_held_agent_whose_new_beginning_is_lost_as_well_has_a_second_gap_behind_the_first(
    station: Station,
) -> None:
    station.agent("fail", on_history_lost="fail")
    with station.reading():
        insert(station, "seen")
        station.wait_for("fail", "seen")
    let_the_oplog_run_over(station)
    with station.reading() as reader:
        eventually(StreamGap.objects.exists)
        first = StreamGap.objects.get()
        eventually(lambda: "held by a gap" in reader.status().detail)
        let_the_oplog_run_over(station)
        gaps.close(first.id, by="tests", resolution="known", now=datetime.now().astimezone())

        second = eventually(lambda: StreamGap.objects.exclude(pk=first.id).first())

    assert (second.since, second.agent_id) == (first.until, "fail")
    assert status_of_all() == {GapStatus.CLOSED, GapStatus.OPEN}


def status_of_all() -> set[str]:
    return set(StreamGap.objects.values_list("status", flat=True))


def test_an_agent_that_was_enabled_long_before_the_oplog_begins_has_a_gap_and_the_others_have_none(
    station: Station,
) -> None:
    station.agent("old", on_history_lost="skip_with_gap_record")
    with station.reading():
        insert(station, "seen")
        station.wait_for("old", "seen")
        let_the_oplog_run_over(station)
        eventually(lambda: is_near_the_end(station))
    long_ago = datetime.now().astimezone() - timedelta(hours=1)
    station.agent("newcomer", now=long_ago, on_history_lost="skip_with_gap_record")

    with station.reading():
        insert(station, "after")
        station.wait_for("old", "after")
        station.wait_for("newcomer", "after")

    assert [row.agent_id for row in StreamGap.objects.all()] == ["newcomer"]


def is_near_the_end(station: Station) -> bool:
    position, oldest = station.position(), oldest_entry(station.client)
    return position is not None and oldest is not None and position.time > oldest
