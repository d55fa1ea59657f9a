"""`mongoclaw dev` runs the whole system in one terminal and leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import stat
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from pymongo import MongoClient
from redis import Redis

from sandbox.addresses import Addresses
from sandbox.embedded import RunningServer, start_mongod
from sandbox.model.client import ModelControl
from sandbox.waiting import wait_until
from tests.acceptance.sandbox.dev import Dev
from tests.conditions import eventually

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    started: list[Dev] = []

    def start(name: str = "dev", flower: bool = False, **environ: str) -> Dev:
        words = () if flower else ("--no-flower",)
        started.append(Dev(tmp_path / name, *words, **environ))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_flower_shows_queues_and_workers_to_whoever_has_the_password_and_changes_nothing(
    dev: Callable[..., Dev],
) -> None:
    running = dev(flower=True)
    flower = running.addresses().flower
    assert flower is not None
    login = json.loads((running.data_dir / "admin.json").read_text())
    known = urllib3.make_headers(basic_auth=f"{login['username']}:{login['password']}")
    with urllib3.PoolManager() as http:
        for page in ("/", "/broker", "/api/workers"):
            assert http.request("GET", flower + page).status == 401, page
        assert http.request("POST", f"{flower}/api/worker/shutdown/any").status == 401

        def workers() -> dict[str, Any]:
            told = http.request("GET", f"{flower}/api/workers?refresh=1", headers=known)
            found: dict[str, Any] = told.json() if told.status == 200 else {}
            # Flower asks a worker several questions, and shows it from the first answer on.
            return {name: facts for name, facts in found.items() if "active_queues" in facts}

        [(worker, facts)] = eventually(workers, seconds=30).items()
        assert "mongoclaw" in [queue["name"] for queue in facts["active_queues"]]
        assert "mongoclaw" in http.request("GET", f"{flower}/broker", headers=known).data.decode()
        for refused in (
            f"/api/worker/shutdown/{worker}",
            f"/api/worker/pool/restart/{worker}",
            f"/api/worker/queue/cancel-consumer/{worker}?queue=mongoclaw",
            f"/api/task/revoke/{'0' * 32}",
            "/api/task/async-apply/tasks.enrich",
        ):
            assert http.request("POST", flower + refused, headers=known).status == 403, refused
    text = running.text()
    assert f"Flower    {flower}" in text
    assert "Inspect method" not in text
    assert not re.search(r"^flower +\| \[", text, re.MULTILINE)
    assert running.process.poll() is None


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the processes are counted through /proc")
def test_all_runs_and_all_ends(dev: Callable[..., Dev]) -> None:
    first = dev()
    addresses = first.addresses()
    _everything_answers(addresses)
    assert len(first.pids()) == 8  # dev itself, mongod, valkey, model, web and its child, worker, watcher
    text = first.text()
    for shown in (
        addresses.mongodb,
        addresses.broker,
        addresses.database,
        f"Console   {addresses.web}/ui/\n",
        f"API       {addresses.web}/docs\n",
        "no language model",
    ):
        assert shown in text
    assert "MONGOCLAW_STATE_DIR" not in text
    login = json.loads((first.data_dir / "admin.json").read_text())
    assert f"user {login['username']}" in text
    assert f"password {login['password']}" in text
    assert stat.S_IMODE((first.data_dir / "admin.json").stat().st_mode) == 0o600
    key = (first.data_dir / "api-key").read_text()
    assert f"API key   {key}\n" in text
    assert stat.S_IMODE((first.data_dir / "api-key").stat().st_mode) == 0o600
    asked = f"{addresses.web}/api/v1/backfills"
    assert urllib3.request("GET", asked, headers={"X-API-Key": key}).status == 200
    assert urllib3.request("GET", asked).status == 401

    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 0
    assert first.pids() == set()
    assert not first.ready.exists()
    assert not (first.data_dir / "addresses.json").exists()

    again = dev()
    assert again.addresses() == addresses
    assert json.loads((again.data_dir / "admin.json").read_text()) == login
    again.process.kill()
    again.process.wait()
    assert wait_until(lambda: not again.pids(), seconds=30)


def test_a_second_run_in_the_same_directory_is_refused(dev: Callable[..., Dev]) -> None:
    first = dev()
    first.addresses()
    second = dev()
    assert second.process.wait(60) == 1
    assert re.search(r"^✗ .*in use by another run", second.text(), re.MULTILINE)
    assert first.process.poll() is None


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[RunningServer]:
    server = start_mongod(tmp_path / "standalone", replica_set=False)
    yield server
    server.stop()


def test_a_standalone_mongod_is_refused_before_anything_is_made(
    dev: Callable[..., Dev], standalone: RunningServer
) -> None:
    refused = dev(MONGOCLAW_MONGODB__URI=standalone.url)
    assert refused.process.wait(60) == 1
    last = refused.text().rstrip().rpartition("\n")[2]
    assert "MONGOCLAW_MONGODB__URI" in last
    assert "--replSet rs0" in last
    assert "Traceback" not in refused.text()
    assert not (refused.data_dir / "admin.json").exists()


def test_given_servers_are_used(
    dev: Callable[..., Dev], mongo_uri: str, redis_url: str, database_url: str
) -> None:
    running = dev(
        MONGOCLAW_MONGODB__URI=mongo_uri, MONGOCLAW_REDIS__URL=redis_url, MONGOCLAW_DATABASE__URL=database_url
    )
    addresses = running.addresses()
    assert (addresses.mongodb, addresses.broker, addresses.database) == (mongo_uri, redis_url, database_url)
    assert not (running.data_dir / "mongod").exists()
    assert not (running.data_dir / "valkey").exists()


def _everything_answers(addresses: Addresses) -> None:
    with MongoClient[dict[str, object]](addresses.mongodb) as mongo:
        assert mongo.admin.command("hello")["setName"]
    with Redis.from_url(addresses.broker) as redis:
        assert redis.ping()
    with urllib.request.urlopen(f"{addresses.web}/ui/login", timeout=10) as page:
        assert page.status == 200
    assert addresses.model is not None
    assert ModelControl(addresses.model).is_up()
