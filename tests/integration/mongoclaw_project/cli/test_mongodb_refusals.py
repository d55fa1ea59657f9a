"""What the commands say about a MongoDB that refuses: no replica set, no user, no permission."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from sandbox.embedded import start_mongod
from sandbox.embedded.binaries import find_mongod
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.server import Recipe, start_server
from sandbox.errors import BinaryMissing
from tests.conditions import eventually
from tests.integration.mongoclaw_project.cli.conftest import Outcome, Point, Run

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory, mongo_uri: str) -> Iterator[str]:
    """A mongod without a replica set."""
    try:
        server = start_mongod(tmp_path_factory.mktemp("standalone"), replica_set=False)
    except BinaryMissing as error:
        pytest.skip(str(error))
    yield server.url
    server.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, mongo_uri: str) -> Iterator[str]:
    """A mongod with access control; users reader (reads and watches shop) and owner (everything)."""
    directory = tmp_path_factory.mktemp("guarded")
    try:
        program = str(find_mongod())
    except BinaryMissing as error:
        pytest.skip(str(error))
    server = start_server(_guarded(directory, program), directory)
    with MongoClient[dict[str, Any]](server.url, directConnection=True) as client:
        member = {"_id": 0, "host": f"{LOOPBACK}:{server.port}"}
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
        eventually(lambda: bool(client.admin.command("hello")["isWritablePrimary"]))
        client.admin.command("createUser", "owner", pwd="secret", roles=["root"])
    with MongoClient[dict[str, Any]](
        server.url, username="owner", password="secret", directConnection=True
    ) as client:
        own = {"role": "readWrite", "db": "mongoclaw"}
        client.admin.command(
            "createUser", "reader", pwd="secret", roles=[own, {"role": "read", "db": "shop"}]
        )
        client.admin.command("createUser", "nobody", pwd="secret", roles=[])
    yield f"{LOOPBACK}:{server.port}/?directConnection=true"
    server.stop()


def _guarded(directory: Path, program: str) -> Recipe:
    key, files = directory / "key", directory / "files"
    key.write_text("c2VjcmV0c2VjcmV0")
    key.chmod(0o600)
    files.mkdir()

    def command(port: int) -> tuple[str, ...]:
        place = ("--dbpath", str(files), "--port", str(port), "--bind_ip", LOOPBACK, "--nounixsocket")
        return (program, *place, "--replSet", "rs0", "--keyFile", str(key), "--wiredTigerCacheSizeGB", "0.25")

    return Recipe("mongod", command, lambda port: f"mongodb://{LOOPBACK}:{port}/")


def try_connection(run: Run, point: Point, servers: dict[str, str], uri: str) -> Outcome:
    """`test connection` with another MongoDB."""
    point(**{**servers, "MONGODB__URI": uri, "MONGODB__DATABASE": "mongoclaw"})
    return run("test", "connection")


def test_a_standalone_server_is_refused_with_the_way_to_a_replica_set(
    run: Run, point: Point, servers: dict[str, str], standalone: str
) -> None:
    outcome = try_connection(run, point, servers, standalone)

    assert outcome.code == 1
    line = outcome.out.splitlines()[0]
    assert "is a standalone server, which has no change streams" in line
    assert "--replSet rs0, then run rs.initiate()" in line


def test_a_wrong_password_is_refused_and_not_repeated(
    run: Run, point: Point, servers: dict[str, str], guarded: str
) -> None:
    outcome = try_connection(run, point, servers, f"mongodb://owner:hunter2@{guarded}")

    assert outcome.code == 1
    assert "refuses the user name or password; correct them in MONGOCLAW_MONGODB__URI" in outcome.out
    assert "hunter2" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("user", "remedy"),
    [
        ("", "put a user and password into MONGOCLAW_MONGODB__URI"),
        ("nobody:secret@", "grant it update and insert"),
    ],
)
def test_a_user_who_may_not_write_is_told_which_permission_is_missing(
    run: Run, point: Point, servers: dict[str, str], guarded: str, user: str, remedy: str
) -> None:
    outcome = try_connection(run, point, servers, f"mongodb://{user}{guarded}")

    assert outcome.code == 1
    assert "mongoclaw.leases cannot be written" in outcome.out
    assert remedy in outcome.out


def test_a_user_with_the_right_permissions_passes(
    run: Run, point: Point, servers: dict[str, str], guarded: str
) -> None:
    assert try_connection(run, point, servers, f"mongodb://reader:secret@{guarded}").code == 0


def test_the_doctor_tells_what_an_agents_user_may_and_may_not(
    run: Run, point: Point, servers: dict[str, str], guarded: str, agent_file: Path
) -> None:
    text = agent_file.read_text()
    agent_file.write_text(text.replace(text.partition("database: ")[2].partition(",")[0], "shop"))
    assert run("agents", "create", "-f", str(agent_file)).code == 0
    try_connection(run, point, servers, f"mongodb://reader:secret@{guarded}")

    findings = run("doctor", "--json").data["findings"]

    access = {
        found["message"]: (found["level"], found["remedy"])
        for found in findings
        if found["area"] == "Agents' access to MongoDB"
    }
    assert access["changes of database shop can be watched"][0] == "ok"
    assert access["shop.tickets can be read"][0] == "ok"
    denied = access["shop.tickets cannot be written: the user lacks the permission"]
    assert denied == ("fail", "grant it update and insert on shop.tickets")
    remedies = [remedy for level, remedy in access.values() if level == "warn"]
    assert [remedy.partition(" on ")[0] for remedy in remedies] == [
        "grant it the role clusterMonitor",
        "grant it read",
    ]


def test_publishing_without_permission_to_look_warns_and_goes_on(
    run: Run, point: Point, servers: dict[str, str], guarded: str, agent_file: Path
) -> None:
    point(**{**servers, "MONGODB__URI": f"mongodb://nobody:secret@{guarded}"})

    created = run("agents", "create", "-f", str(agent_file))

    assert created.code == 0
    assert "warning: watch: not tried on the server, which says: not authorized" in created.err


def test_no_error_of_the_driver_escapes(run: Run, point: Point, servers: dict[str, str]) -> None:
    with pytest.raises(PyMongoError):
        MongoClient("mongodb://127.0.0.1:9,127.0.0.1:8/?directConnection=true")

    outcome = try_connection(run, point, servers, "mongodb://127.0.0.1:9,127.0.0.1:8/?directConnection=true")

    assert outcome.code == 1
    assert "MONGOCLAW_MONGODB__URI cannot be used" in outcome.out
