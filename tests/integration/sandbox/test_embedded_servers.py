"""Embedded servers survive crashes, keep their address, and never outlive who started them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo import MongoClient
from redis import Redis

from sandbox.embedded import RunningServer, start_mongod, start_postgres, start_valkey
from sandbox.embedded.replica_set import require_replica_set
from sandbox.errors import DataDirectoryBusy, NotAReplicaSet, PortTaken, ServerStartFailed, ServerUnreachable
from sandbox.identity import ProcessIdentity, identify, write_pid_file
from sandbox.waiting import wait_until

Start = Callable[[Path], RunningServer]
STARTERS: dict[str, Start] = {"mongod": start_mongod, "valkey": start_valkey, "postgres": start_postgres}
ORPHAN_MAKER = """
import json, sys
from pathlib import Path
from sandbox.embedded import *
starters = {"mongod": start_mongod, "valkey": start_valkey, "postgres": start_postgres}
server = starters[sys.argv[1]](Path(sys.argv[2]), die_with_parent=sys.argv[3] == "True")
print(json.dumps({"pid": server.pid, "started": server.identity.started, "url": server.url}), flush=True)
input()
"""


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that every user may enter: as root, PostgreSQL runs as another one."""
    with tempfile.TemporaryDirectory(prefix="mongoclaw-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def started() -> Iterator[list[RunningServer]]:
    servers: list[RunningServer] = []
    yield servers
    for server in servers:
        server.stop()


def _write(url: str) -> None:
    if url.startswith("mongodb"):
        with MongoClient[dict[str, Any]](url) as mongo:
            mongo.test.things.insert_one({"_id": 1})
    if url.startswith("postgresql"):
        with psycopg.connect(url) as sql:
            sql.execute("CREATE TABLE things (id int)")


def _is_written(url: str) -> bool:
    if url.startswith("mongodb"):
        with MongoClient[dict[str, Any]](url) as mongo:
            return mongo.test.things.count_documents({}) == 1
    if url.startswith("postgresql"):
        with psycopg.connect(url) as sql:
            return bool(sql.execute("SELECT to_regclass('things') IS NOT NULL").fetchone())
    with Redis.from_url(url) as redis:
        return bool(redis.ping())


@pytest.mark.parametrize("kind", STARTERS)
def test_after_a_crash_it_starts_at_the_same_address_with_its_data(
    kind: str, open_dir: Path, started: list[RunningServer]
) -> None:
    first = STARTERS[kind](open_dir / kind)
    _write(first.url)
    first.kill()
    second = STARTERS[kind](open_dir / kind)
    started.append(second)
    assert second.url == first.url
    assert _is_written(second.url)


@pytest.mark.parametrize("kind", STARTERS)
def test_it_ends_when_its_starter_is_killed(kind: str, open_dir: Path, started: list[RunningServer]) -> None:
    starter, orphan = _start_in_another_process(kind, open_dir / kind, die_with_parent=True)
    starter.kill()
    starter.communicate()
    assert wait_until(lambda: not orphan.is_alive(), seconds=30)


def test_a_server_left_behind_is_ended_before_the_next_start(
    tmp_path: Path, started: list[RunningServer]
) -> None:
    starter, orphan = _start_in_another_process("valkey", tmp_path / "valkey", die_with_parent=False)
    starter.kill()
    starter.communicate()
    assert orphan.is_alive()
    started.append(start_valkey(tmp_path / "valkey"))
    assert not orphan.is_alive()


def test_a_pid_file_that_names_a_stranger_harms_nobody(tmp_path: Path, started: list[RunningServer]) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (tmp_path / "valkey").mkdir()
        write_pid_file(tmp_path / "valkey/valkey.pid", ProcessIdentity(stranger.pid, "long ago"))
        started.append(start_valkey(tmp_path / "valkey"))
        assert stranger.poll() is None
        stranger.kill()


def test_one_directory_serves_one_run(tmp_path: Path, started: list[RunningServer]) -> None:
    started.append(start_valkey(tmp_path / "valkey"))
    with pytest.raises(DataDirectoryBusy, match=f"in use by another run .server pid {started[0].pid}"):
        start_valkey(tmp_path / "valkey")


def test_a_replica_set_follows_its_port(tmp_path: Path, started: list[RunningServer]) -> None:
    first = start_mongod(tmp_path / "mongod")
    _write(first.url)
    first.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        started.append(start_mongod(tmp_path / "mongod"))
    assert started[0].port != first.port
    assert _is_written(started[0].url)
    require_replica_set(started[0].url)


def test_a_port_that_is_taken_is_named(tmp_path: Path, started: list[RunningServer]) -> None:
    started.append(start_valkey(tmp_path / "one"))
    with pytest.raises(PortTaken, match=f"port {started[0].port} .* in use"):
        start_valkey(tmp_path / "other", port=started[0].port)


def test_a_standalone_mongod_is_refused_with_the_remedy(tmp_path: Path, started: list[RunningServer]) -> None:
    started.append(start_mongod(tmp_path / "mongod", replica_set=False))
    with pytest.raises(NotAReplicaSet, match=r"--replSet rs0.*rs\.initiate"):
        require_replica_set(started[0].url)


def test_a_mongod_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerUnreachable, match="MONGOCLAW_MONGODB__URI"):
        require_replica_set("mongodb://127.0.0.1:1/", seconds=0.5)


def test_a_damaged_data_directory_gives_one_line(tmp_path: Path) -> None:
    files = tmp_path / "mongod" / "files"
    files.mkdir(parents=True)
    (files / "storage.bson").write_text("no storage")
    with pytest.raises(ServerStartFailed) as caught:
        start_mongod(tmp_path / "mongod")
    assert "mongod did not start: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mongod" / "mongod.pid").exists()


def test_a_stop_is_clean_and_quick_and_may_be_repeated(tmp_path: Path) -> None:
    server = start_mongod(tmp_path / "mongod")
    server.stop()
    server.stop()
    assert not server.is_alive()
    assert server.process.returncode == 0
    assert identify(server.pid) is None


def _start_in_another_process(
    kind: str, directory: Path, *, die_with_parent: bool
) -> tuple[subprocess.Popen[str], ProcessIdentity]:
    starter = subprocess.Popen(
        [sys.executable, "-c", ORPHAN_MAKER, kind, str(directory), str(die_with_parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert starter.stdout is not None
    told = json.loads(starter.stdout.readline())
    return starter, ProcessIdentity(told["pid"], told["started"])
