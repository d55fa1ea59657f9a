"""Three real mongods: whoever is killed, the others go on, and it comes back with what it missed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from sandbox.embedded import ReplicaSet, start_replica_set
from sandbox.errors import BinaryMissing, ServerStartFailed
from sandbox.identity import ProcessIdentity
from sandbox.waiting import wait_until
from tests.conditions import eventually

Document = dict[str, Any]
ORPHAN_MAKER = """
import json, sys
from pathlib import Path
from sandbox.embedded import start_replica_set
made = start_replica_set(Path(sys.argv[1]))
print(json.dumps([[member.pid, member.identity.started] for member in made.members]), flush=True)
input()
"""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    try:
        made = start_replica_set(tmp_path_factory.mktemp("set"))
    except BinaryMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(str(exc))
        pytest.skip(str(exc))
    yield made
    made.stop()


@pytest.fixture
def things(three: ReplicaSet) -> Iterator[Collection[Document]]:
    three.wait_until_whole()
    # The driver's own change stream waits so long for the killed member, to free its cursor there, before it resumes.
    with MongoClient[Document](three.url, serverSelectionTimeoutMS=5_000) as client:
        yield client.test.get_collection("things", write_concern=WriteConcern("majority", wtimeout=20_000))


def test_a_killed_primary_is_replaced_and_comes_back_with_what_it_missed(
    three: ReplicaSet, things: Collection[Document]
) -> None:
    things.insert_one({"_id": "before"})
    killed = three.primary()
    three.kill(killed)
    assert not three.is_whole()
    things.insert_one({"_id": "meanwhile"})
    assert three.primary() != killed

    three.restart(killed)
    three.wait_until_whole()

    port = three.members[killed].port
    with MongoClient[Document](f"mongodb://127.0.0.1:{port}/?directConnection=true") as alone:
        own = alone.test.things
        eventually(lambda: {found["_id"] for found in own.find()} >= {"before", "meanwhile"})


def test_a_step_down_makes_another_member_primary(three: ReplicaSet, things: Collection[Document]) -> None:
    before = three.primary()
    assert three.step_down()
    eventually(lambda: three.primary() != before)
    things.insert_one({"_id": "after the step-down"})


def test_a_change_stream_follows_through_a_kill_of_the_primary(
    three: ReplicaSet, things: Collection[Document]
) -> None:
    with things.watch(max_await_time_ms=100) as stream:
        things.insert_one({"_id": "seen before"})
        killed = three.primary()
        three.kill(killed)
        things.insert_one({"_id": "seen after"})
        seen = [eventually(stream.try_next)["documentKey"]["_id"] for _ in range(2)]
    three.restart(killed)
    assert seen == ["seen before", "seen after"]


def test_a_set_without_a_majority_says_that_it_has_no_primary(
    three: ReplicaSet, things: Collection[Document]
) -> None:
    others = [number for number in range(3) if number != three.primary()]
    for number in others:
        three.kill(number)
    eventually(lambda: not _has_primary(three))
    for number in others:
        three.restart(number)


def _has_primary(three: ReplicaSet) -> bool:
    try:
        three.primary(seconds=0.1)
    except ServerStartFailed:
        return False
    return True


def test_all_members_end_when_their_starter_is_killed(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", ORPHAN_MAKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert starter.stdout is not None
    orphans = [ProcessIdentity(pid, started) for pid, started in json.loads(starter.stdout.readline())]
    starter.kill()
    starter.communicate()
    assert len(orphans) == 3
    assert wait_until(lambda: not any(orphan.is_alive() for orphan in orphans), seconds=30)
