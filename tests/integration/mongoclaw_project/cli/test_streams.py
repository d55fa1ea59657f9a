"""`mongoclaw streams`: looking at the streams and steering them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.models import Backfill, Execution, GapKind, GapStatus, StreamGap
from mongoclaw_project.cluster_moment import as_json, parse
from tests.integration.mongoclaw_project.cli.conftest import Run
from watcher.leading.control import Control, Controls
from watcher.reading import cluster
from watcher.reading.position_store import PositionStore

Document = dict[str, Any]
Home = Database[Document]

NOW = datetime.now(UTC)


def time_of(mongo: MongoClient[Document]) -> Timestamp:
    return cluster.time_of(mongo)


def placed(mongo: MongoClient[Document], home: Home, time: Timestamp) -> None:
    """Store a position of the database's stream."""
    here = cluster.look_at(mongo)
    PositionStore(home["resume_tokens"]).place(home.name, time=time, token=None, cluster=here, now=NOW)


def position(home: Home) -> Timestamp:
    found = PositionStore(home["resume_tokens"]).listed()[home.name].time
    assert found is not None
    return found


@pytest.fixture
def support(run: Run, agent_file: Path, mongo_db: Home) -> str:
    """An agent on the test's database; gives the database's name."""
    assert run("agents", "create", "-f", str(agent_file)).code == 0
    return mongo_db.name


@pytest.fixture
def led(mongo: MongoClient[Document], mongo_db: Home) -> Callable[..., None]:
    """Write down that a watcher reads the test's database."""

    def lead(state: str = "live", *, seconds: float = 60, **said: Any) -> None:
        now = mongo.admin.command("hello")["localTime"]
        lease = {
            "holder": "w1",
            "host": "box",
            "pid": 7,
            "term": 3,
            "renewed_at": now,
            "expires_at": now + timedelta(seconds=seconds),
            "state": {"state": state, "polled_ago": 0.1, "lag_seconds": 0.0, "detail": "", **said},
        }
        mongo_db["leases"].replace_one({"_id": f"stream:{mongo_db.name}"}, lease, upsert=True)

    return lead


class TestLooking:
    def test_without_agents_there_is_nothing(self, run: Run) -> None:
        assert run("streams", "list").out == "No agent watches anything.\n"
        assert run("streams", "list", "--json").data["streams"] == []

    def test_a_stream_that_nobody_reads_is_said_to_be_so(self, run: Run, support: str) -> None:
        listed = run("streams", "list")
        assert f"{support}: no watcher reads it" in listed.err
        stream = run("streams", "list", "--json").data["streams"][0]
        assert (stream["stream"], stream["state"], stream["position"]) == (support, "unwatched", None)
        assert stream["agents"] == ["support"]

    def test_a_stream_is_shown_with_its_watcher_its_position_and_its_gaps(
        self, run: Run, support: str, led: Callable[..., None], mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        led(lag_seconds=0.0)
        now = time_of(mongo)
        placed(mongo, mongo_db, now)
        stream = run("streams", "list", "--json").data["streams"][0]
        assert (stream["state"], stream["watcher"], stream["term"]) == ("live", "box:7", 3)
        assert (stream["lag_seconds"], stream["trouble"], stream["open_gaps"]) == (0.0, None, 0)
        assert stream["position"] == as_json(now)
        assert 0 <= stream["position_age_seconds"] < 60
        assert stream["seconds_until_lost"] >= 0
        shown = run("streams", "show", support)
        assert "Watcher    box:7, term 3" in shown.out
        assert "support: tickets, on lost history backfill" in shown.out

    @pytest.mark.parametrize(
        ("state", "said", "trouble"),
        [
            (
                "refused",
                {"detail": "position of another cluster"},
                "it is refused: position of another cluster",
            ),
            ("broken", {}, "it is broken"),
            ("live", {"polled_ago": 40.0}, "it has not been polled for 40 s"),
        ],
    )
    def test_trouble_is_named(
        self, run: Run, support: str, led: Callable[..., None], state: str, said: Document, trouble: str
    ) -> None:
        led(state, **said)
        assert f"{support}: {trouble}" in run("streams", "list").err

    def test_a_lease_that_has_run_out_counts_for_nothing(
        self, run: Run, support: str, led: Callable[..., None]
    ) -> None:
        led(seconds=-1)
        assert run("streams", "list", "--json").data["streams"][0]["state"] == "unwatched"

    def test_a_damaged_position_is_told(self, run: Run, support: str, mongo_db: Home) -> None:
        mongo_db["resume_tokens"].insert_one({"_id": support, "token": 5})
        assert "Position   cannot be read" in run("streams", "show", support).out

    def test_an_unknown_database_is_an_error_that_names_the_list(self, run: Run, support: str) -> None:
        for words in (("show",), ("pause",), ("set-position", "--now")):
            failed = run("streams", words[0], "nowhere", *words[1:])
            assert failed.code == 1
            assert "`mongoclaw streams list`" in failed.err

    def test_a_mongodb_that_is_away_is_one_line_with_the_remedy(
        self, run: Run, support: str, point: Callable[..., None], servers: dict[str, str]
    ) -> None:
        point(**{**servers, "MONGODB__URI": "mongodb://127.0.0.1:9"})
        failed = run("streams", "list")
        assert failed.code == 1
        assert "cannot be reached: start MongoDB there" in failed.err


class TestSteering:
    def test_a_stream_is_paused_and_resumed(self, run: Run, support: str, mongo_db: Home) -> None:
        assert run("streams", "pause", support).code == 0
        assert Controls(mongo_db["streams"]).read()[support].paused
        assert run("streams", "list", "--json").data["streams"][0]["state"] == "paused"
        assert run("streams", "resume", support).code == 0
        assert not Controls(mongo_db["streams"]).read()[support].paused

    def test_a_paused_stream_falls_behind_whatever_its_watcher_said_last(
        self, run: Run, support: str, led: Callable[..., None], mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        led(lag_seconds=0.0)
        placed(mongo, mongo_db, Timestamp(time_of(mongo).time - 100, 1))
        assert run("streams", "list", "--json").data["streams"][0]["lag_seconds"] == 0.0
        assert run("streams", "pause", support).code == 0
        assert run("streams", "list", "--json").data["streams"][0]["lag_seconds"] >= 100

    def test_a_pause_tells_how_long_the_oplog_holds_the_position_and_not_how_long_it_is(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        assert "drops what follows" not in run("streams", "pause", support).err
        placed(mongo, mongo_db, Timestamp(1_500_000_000, 1))
        assert "drops what follows its position: in 0 s" in run("streams", "pause", support).err

    def test_a_stream_is_divided(self, run: Run, support: str, mongo_db: Home) -> None:
        divided = run("streams", "partition", support, "3", "--json")
        if divided.code:
            assert "division_unsupported" in divided.err
            return
        assert Controls(mongo_db["streams"]).read()[support].partitions == 3
        names = [stream["stream"] for stream in run("streams", "list", "--json").data["streams"]]
        assert names == [f"{support}#{part}/3" for part in range(3)]

    def test_a_stream_is_not_divided_into_too_many_parts(self, run: Run, support: str) -> None:
        assert run("streams", "partition", support, "9").code == 2


class TestSetPosition:
    def test_going_forward_asks_and_leaves_a_gap_for_each_agent(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        now = time_of(mongo)
        placed(mongo, mongo_db, Timestamp(now.time - 30, 1))
        StreamGap.objects.all().delete()
        refused = run("streams", "set-position", support, "--now", stdin="n\n")
        assert refused.code == 1
        assert position(mongo_db) == Timestamp(now.time - 30, 1)
        assert not StreamGap.objects.exists()

    def test_a_gap_of_a_set_position_warns_and_holds_nobody(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        enable_long_ago()
        old = Timestamp(time_of(mongo).time - 30, 1)
        placed(mongo, mongo_db, old)
        before = Controls(mongo_db["streams"]).read().get(support, Control()).generation
        done = run("streams", "set-position", support, "--now", "--json", stdin="y\n")
        assert done.code == 0, done.err
        gap = StreamGap.objects.get()
        assert done.data["gaps"] == [gap.id]
        assert (gap.agent_id, gap.kind, gap.status) == ("support", "position_set", GapStatus.OPEN)
        assert gap.since == f"{old.time:08x}00000001"
        assert parse(gap.until, now=NOW) == position(mongo_db)
        assert gaps.held_since() == {}
        assert Controls(mongo_db["streams"]).read()[support].generation == before + 1

    def test_going_back_needs_no_answer_and_leaves_no_gap(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        now = time_of(mongo)
        placed(mongo, mongo_db, now)
        done = run("streams", "set-position", support, "--beginning-of-oplog")
        assert done.code == 0, done.err
        assert position(mongo_db) < now
        assert not StreamGap.objects.exists()

    def test_an_agent_that_a_gap_holds_has_seen_nothing_since_that_gap_ended(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        enable_long_ago()
        now = time_of(mongo)
        placed(mongo, mongo_db, now)
        held_at = now.time - 1_000
        gap = gaps.NewGap(
            agent_id="support",
            database=support,
            collection="tickets",
            kind=GapKind.HISTORY_LOST,
            since=f"{held_at - 50:08x}00000001",
            until=f"{held_at:08x}00000001",
            policy=HistoryPolicy.FAIL,
        )
        gaps.record(gap, now=NOW)
        assert run("streams", "set-position", support, "--now", "--force").code == 0
        new = StreamGap.objects.get(kind="position_set")
        assert new.since == f"{held_at:08x}00000001"

    def test_positions_of_parts_that_are_not_read_any_more_make_no_gap(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        enable_long_ago()
        now = time_of(mongo)
        placed(mongo, mongo_db, now)
        positions = mongo_db["resume_tokens"]
        whole = positions.find_one({"_id": support}) or {}
        positions.update_one({"_id": support}, {"$set": {"layout": 2}})
        old = {**whole, "cluster_time": Timestamp(now.time - 500, 1), "layout": 1}
        positions.insert_many([{**old, "_id": f"{support}#{part}/2"} for part in range(2)])
        back = run("streams", "set-position", support, "--at", f"{now.time - 5}:1")
        if "The oplog reaches back" not in back.err:
            assert back.code == 0, back.err
        assert not StreamGap.objects.exists()

    def test_a_damaged_position_is_set_and_what_is_unknown_is_a_gap(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        enable_long_ago()
        mongo_db["resume_tokens"].insert_one({"_id": support, "token": 5})
        assert run("streams", "set-position", support, "--now", "--force").code == 0
        assert 0 <= time_of(mongo).time - position(mongo_db).time < 60
        assert StreamGap.objects.get().since == f"{int(LONG_AGO.timestamp()):08x}00000001"

    @pytest.mark.parametrize(
        ("at", "said"),
        [
            ("2015-01-01", "The oplog reaches back to"),
            ("2100-01-01T00:00:00Z", "lies in the future"),
        ],
    )
    def test_a_time_that_the_oplog_does_not_hold_is_refused_with_the_remedy(
        self, run: Run, support: str, mongo_db: Home, at: str, said: str
    ) -> None:
        refused = run("streams", "set-position", support, "--at", at)
        assert refused.code == 1
        assert said in refused.err
        assert mongo_db["resume_tokens"].count_documents({}) == 0

    def test_a_token_is_as_good_as_its_time(
        self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home
    ) -> None:
        with mongo_db.watch(max_await_time_ms=50) as stream:
            mongo_db["other"].insert_one({})
            event = next(stream)
        token = event["_id"]["_data"]
        assert run("streams", "set-position", support, "--token", token, "--force").code == 0
        assert position(mongo_db) == event["clusterTime"]
        assert run("streams", "set-position", support, "--token", "hello").code == 1

    @pytest.mark.parametrize("words", [(), ("--now", "--at", "-2h"), ("--at", "tomorrow")])
    def test_what_is_called_wrongly_is_said_so(self, run: Run, support: str, words: tuple[str, ...]) -> None:
        assert run("streams", "set-position", support, *words).code == 2


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def enable_long_ago() -> None:
    from agents_app.models import Agent

    Agent.objects.update(enabled_at=LONG_AGO, current_since=LONG_AGO)


class TestReplay:
    @pytest.fixture
    def written(self, support: str, mongo: MongoClient[Document], mongo_db: Home) -> tuple[str, str]:
        """Three tickets, of which two match and one of those twice; gives the range of their changes."""
        start = mongo_db["other"].database.command("insert", "other", documents=[{}])["operationTime"]
        mongo_db["tickets"].insert_many(
            [{"_id": n, "status": "open" if n else "closed", "text": f"t{n}"} for n in range(3)]
        )
        mongo_db["tickets"].update_one({"_id": 1}, {"$set": {"text": "again"}})
        end = time_of(mongo)
        mongo_db["tickets"].insert_one({"_id": 9, "status": "open", "text": "late"})
        return str(as_json(start)), f"{end.time:08x}{end.inc:08x}"

    def test_a_range_is_on_record_again_each_time_it_is_asked_for(
        self, run: Run, support: str, written: tuple[str, str]
    ) -> None:
        since, until = written
        first = run("streams", "replay", support, "--from", since, "--to", until, "--json")
        assert first.code == 0, first.err
        assert (first.data["read"], first.data["matched"]) == (4, 3)
        rows = Execution.objects.values_list("document_id", "status", "priority")
        assert sorted(rows) == [("1", "pending", -1000), ("2", "pending", -1000)]
        Execution.objects.update(status="completed")
        again = run("streams", "replay", support, "--from", since, "--to", until, "--json")
        assert again.data["matched"] == 3
        assert Execution.objects.filter(status="pending").count() == 2
        assert Execution.objects.count() == 4

    def test_without_an_end_the_newest_change_is_the_last(
        self, run: Run, support: str, written: tuple[str, str]
    ) -> None:
        assert run("streams", "replay", support, "--from", written[0], "--json").data["read"] == 5

    def test_a_database_that_was_dropped_on_the_way_does_not_end_it(
        self, run: Run, support: str, written: tuple[str, str], mongo_db: Home
    ) -> None:
        mongo_db.client.drop_database("no_such_database")
        mongo_db["tickets"].drop()
        mongo_db["tickets"].insert_one({"_id": 11, "status": "open", "text": "new"})
        assert run("streams", "replay", support, "--from", written[0], "--json").data["read"] == 6

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--from", "2015-01-01"), "begin later"),
            (("--from", "-1s", "--to", "-1h"), "the beginning must come first"),
            (("--from", "-1m", "--agent", "nobody"), "No agent 'nobody' at work watches"),
        ],
    )
    def test_what_cannot_be_replayed_is_refused_with_the_remedy(
        self, run: Run, support: str, words: tuple[str, ...], said: str
    ) -> None:
        refused = run("streams", "replay", support, *words)
        assert refused.code == 1
        assert said in refused.err


class TestGaps:
    @pytest.fixture
    def gap(self, run: Run, support: str, mongo: MongoClient[Document], mongo_db: Home) -> StreamGap:
        enable_long_ago()
        placed(mongo, mongo_db, Timestamp(time_of(mongo).time - 30, 1))
        assert run("streams", "set-position", support, "--now", "--force").code == 0
        return StreamGap.objects.get()

    def test_without_gaps_there_is_nothing(self, run: Run) -> None:
        assert run("streams", "gaps", "list").out == "No gaps.\n"

    def test_gaps_are_listed_and_shown(self, run: Run, support: str, gap: StreamGap) -> None:
        listed = run("streams", "gaps", "list", "--database", support)
        assert gap.id[:8] in listed.out
        assert run("streams", "gaps", "list", "--agent", "other").out == "No gaps.\n"
        shown = run("streams", "gaps", "show", gap.id[:8])
        assert "Kind       position_set" in shown.out
        assert json.loads(run("streams", "gaps", "show", gap.id, "--json").out)["id"] == gap.id
        assert f"  {gap.id[:8]}  support  position_set  open" in run("streams", "show", support).out

    def test_a_gap_is_closed_by_word_or_by_a_backfill_and_only_once(self, run: Run, gap: StreamGap) -> None:
        assert run("streams", "gaps", "close", gap.id).code == 2
        backfilled = run("streams", "gaps", "close", gap.id[:8], "--backfill", "--json")
        assert backfilled.data["status"] == "backfilling"
        assert backfilled.data["backfill_id"] == Backfill.objects.get().id
        twice = run("streams", "gaps", "close", gap.id[:8], "--backfill")
        assert f"`mongoclaw backfills show {Backfill.objects.get().id[:8]}`" in twice.err
        closed = run("streams", "gaps", "close", gap.id[:8], "--skip", "--json")
        assert closed.data["closed_by"].startswith("cli")
        again = run("streams", "gaps", "close", gap.id[:8], "--skip")
        assert again.code == 1
        assert f"Gap {gap.id[:8]} is not open: it was closed by cli" in again.err
        assert run("streams", "gaps", "list").out == "No gaps.\n"
        assert gap.id[:8] in run("streams", "gaps", "list", "--all").out
