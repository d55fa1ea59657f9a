"""Real servers for the tests: started on first demand, shared by all of xdist's workers, stopped at the end.

MONGOCLAW_TEST_MONGODB_URI and MONGOCLAW_TEST_REDIS_URL point at existing servers instead. A server that is
missing skips its tests here and fails them where CI=true. MONGOCLAW_TEST_DATABASE=postgres runs the suite on
PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pymongo import MongoClient
from redis import Redis

from sandbox.embedded import start_mongod, start_postgres, start_valkey
from sandbox.embedded.shared import SharedServers, Starter, ask
from sandbox.errors import BinaryMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.database import Database

Document = dict[str, Any]
_servers_key = pytest.StashKey["Servers"]()


class Servers:
    """How this process gets at the servers: its own, or those of xdist's controller."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._own: SharedServers | None = None
        self._directory: Path | None = None

    @property
    def address(self) -> str:
        """Where other processes ask for servers."""
        return self._address or self._shared().address

    def url(self, name: str) -> str:
        """The address of `mongod`, `valkey` or `postgres`, started now if need be."""
        return ask(self._address, name) if self._address else self._shared().url(name)

    def stop(self) -> None:
        """Stops what this process owns."""
        if self._own is not None:
            self._own.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _shared(self) -> SharedServers:
        if self._own is None:
            self._directory = Path(tempfile.mkdtemp(prefix="mongoclaw-tests-"))
            self._directory.chmod(0o755)  # PostgreSQL enters it as another user.
            starters: dict[str, Starter] = {
                "mongod": start_mongod,
                "valkey": start_valkey,
                "postgres": partial(start_postgres, durable=False),
            }
            self._own = SharedServers(self._directory, starters)
        return self._own


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Sets the environment that Django's settings are read from, before Django reads it."""
    workerinput: dict[str, str] = getattr(config, "workerinput", {})
    servers = Servers(workerinput.get("servers"))
    config.stash[_servers_key] = servers
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    os.environ.setdefault("MONGOCLAW_ENVIRONMENT", "development")
    if os.environ.get("MONGOCLAW_TEST_DATABASE") == "postgres":
        os.environ["MONGOCLAW_DATABASE__URL"] = servers.url("postgres")
    else:
        os.environ["MONGOCLAW_DATABASE__URL"] = f"sqlite:///{tempfile.gettempdir()}/mongoclaw-unused.sqlite3"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells each worker of xdist where this process gives out servers."""
    node.workerinput["servers"] = node.config.stash[_servers_key].address


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the servers, after the last worker has ended."""
    config.stash[_servers_key].stop()


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives the address of `mongod`, `valkey` or `postgres`; skips the test where it cannot be had."""

    def url(name: str) -> str:
        try:
            return request.config.stash[_servers_key].url(name)
        except BinaryMissing as exc:
            if os.environ.get("CI") == "true":
                pytest.fail(str(exc))
            pytest.skip(str(exc))

    return url


@pytest.fixture(scope="session")
def mongo_uri(server_url: Callable[[str], str]) -> str:
    """A replica set, shared by the whole run: use databases of your own."""
    return os.environ.get("MONGOCLAW_TEST_MONGODB_URI") or server_url("mongod")


@pytest.fixture(scope="session")
def mongo(mongo_uri: str) -> Iterator[MongoClient[Document]]:
    """A client of the replica set; it gives aware datetimes."""
    with MongoClient[Document](mongo_uri, tz_aware=True, serverSelectionTimeoutMS=10_000) as client:
        yield client


@pytest.fixture
def mongo_db(mongo: MongoClient[Document]) -> Iterator[Database[Document]]:
    """A database with a name of its own, dropped after the test."""
    database = mongo[f"t_{uuid.uuid4().hex[:20]}"]
    yield database
    mongo.drop_database(database.name)


@pytest.fixture(scope="session")
def redis_server(server_url: Callable[[str], str]) -> str:
    """The address of the broker's server, without a database number."""
    return (os.environ.get("MONGOCLAW_TEST_REDIS_URL") or server_url("valkey")).rpartition("/")[0]


@pytest.fixture
def redis_url(redis_server: str, worker_number: int) -> str:
    """A database of the broker's server, empty, and no other test's at the time."""
    url = f"{redis_server}/{worker_number % 16}"
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def worker_number() -> int:
    """The number of this worker of xdist, 0 without xdist."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture
def database_url(server_url: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """An empty SQL database for processes that the test starts; Django in the test process has its own."""
    if os.environ.get("MONGOCLAW_TEST_DATABASE") != "postgres":
        yield f"sqlite:///{tmp_path}/database.sqlite3"
        return
    server = server_url("postgres")
    name = f"t_{uuid.uuid4().hex[:20]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload,unused-ignore]
        yield f"{server.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload,unused-ignore]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Gives the tests on SQLite a database file: one in memory knows neither WAL nor a second process."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("sql") / "test.sqlite3")
