"""Real servers for the tests: started on first demand, shared by all of xdist's workers, stopped at the end.

MONGOCLAW_TEST_MONGODB_URI and MONGOCLAW_TEST_REDIS_URL point at existing servers instead. A server that is
missing skips its tests here and fails them where CI=true. MONGOCLAW_TEST_DATABASE=postgres runs the suite on
PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import psycopg
import pytest
import structlog
from kombu import Connection
from pymongo import MongoClient
from redis import Redis

from sandbox.embedded import RunningServer, start_mongod, start_postgres, start_rabbitmq, start_valkey
from sandbox.embedded.shared import SharedServers, Starter, ask
from sandbox.errors import BinaryMissing
from sandbox.model.client import ModelControl, start_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from pymongo.database import Database

Document = dict[str, Any]


class Servers:
    """How this process gets at servers: those of the process named in the environment, or else its own."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.get(_ADDRESS)
        self._own: SharedServers | None = None
        if self._address is None:
            self._directory = Path(tempfile.mkdtemp(prefix="mongoclaw-tests-"))
            self._directory.chmod(0o755)  # PostgreSQL enters it as another user.
            self._own = SharedServers(self._directory, _STARTERS)
            environ[_ADDRESS] = self._own.address
            # Where Django's test database on SQLite and the development key go.
            environ["MONGOCLAW_STATE_DIR"] = str(self._directory / "state")

    def url(self, name: str) -> str:
        """The address of a server of _STARTERS, started now if need be."""
        if self._own is not None:
            return self._own.url(name)
        return ask(str(self._address), name)

    def stop(self) -> None:
        """Stops what this process owns."""
        if self._own is not None:
            self._own.stop()
            shutil.rmtree(self._directory, ignore_errors=True)


_ADDRESS = "MONGOCLAW_TEST_SERVERS"
_STARTERS: dict[str, Starter] = {
    "mongod": start_mongod,
    "valkey": start_valkey,
    "postgres": partial(start_postgres, durable=False),
    **{f"rabbitmq-gw{number}": start_rabbitmq for number in range(32)},
    **{f"model-gw{number}": start_model for number in range(32)},
}
_servers = Servers(os.environ)
_SQL_FIXTURES = {"db", "transactional_db", "database_url"}
PRIORITY_QUEUES = [f"mongoclaw.priority.{level}" for level in ("high", "normal", "low")]
PARTITION_QUEUES = [f"mongoclaw.partition.{number}" for number in range(8)]
ACCEPTANCE = Path(__file__).parent / "acceptance"

# Before Django reads its settings; the workers of xdist inherit this environment.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
os.environ.setdefault("MONGOCLAW_ENV_FILE", os.devnull)
# Users of different tests have the same ids, and whoever has a Redis on this machine has only one.
os.environ.setdefault("MONGOCLAW_API__RATE_LIMIT_REQUESTS", "1000000")
if os.environ.get("MONGOCLAW_TEST_DATABASE") == "postgres":
    os.environ.setdefault("MONGOCLAW_DATABASE__URL", _servers.url("postgres"))
_configure_logs = structlog.configure


def _configure_without_memory(**chosen: Any) -> None:
    """Let loggers follow: one that keeps the settings of its first use is deaf to `capture_logs` after later ones."""
    _configure_logs(**{**chosen, "cache_logger_on_first_use": False})


structlog.configure = _configure_without_memory  # type: ignore[assignment]
# In a worker of xdist Django, and with it the log, is set up before this module is read.
structlog.configure(cache_logger_on_first_use=False)
django.setup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks integration tests that touch SQL; acceptance tests are slow and chosen by hand."""
    for item in items:
        if _touches_sql(item) and ACCEPTANCE not in item.path.parents:
            item.add_marker("sql")


def _touches_sql(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("django_db") is not None
    return marked or not _SQL_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stops the servers, in xdist's controller after the last worker has ended."""
    _servers.stop()


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Agents of an earlier test's database have the ids of this one's."""
    if not _touches_sql(request.node):
        yield
        return
    from agents_app import registry
    from executions_app import holds, mongodb

    registry.forget()
    holds.forget()
    yield
    registry.forget()
    holds.forget()
    mongodb.forget()


@pytest.fixture(scope="session")
def server_url() -> Callable[[str], str]:
    """Gives the address of `mongod`, `valkey` or `postgres`; skips the test where it cannot be had."""

    def url(name: str) -> str:
        with available():
            return _servers.url(name)

    return url


@contextmanager
def available() -> Iterator[None]:
    """Skip the test where the program of a server that is started within is missing; in CI it fails."""
    try:
        yield
    except BinaryMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(str(exc))
        pytest.skip(str(exc))


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


@pytest.fixture
def rabbitmq_url(server_url: Callable[[str], str], worker_number: int) -> str:
    """A RabbitMQ that no other test uses at the time, with empty queues."""
    url = server_url(f"rabbitmq-gw{worker_number}")
    with Connection(url) as connection:
        channel: Any = connection.default_channel
        for name in ("mongoclaw", "mongoclaw.dead", *PRIORITY_QUEUES, *PARTITION_QUEUES):
            channel.queue_delete(name)
    return url


@pytest.fixture
def own_rabbitmq(tmp_path: Path) -> Iterator[RunningServer]:
    """A RabbitMQ that the test may freeze and kill."""
    with available():
        server = start_rabbitmq(tmp_path / "rabbitmq")
    yield server
    server.kill()


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
    with _postgres_database(server_url("postgres")) as url:
        yield url


@pytest.fixture
def migrated_database_url(migrated_template: str, database_url: str) -> str:
    """As `database_url`, with all tables: a copy, because migrating takes seconds."""
    if database_url.startswith("sqlite:"):
        shutil.copyfile(_path(migrated_template), _path(database_url))
    else:
        server, _, template = migrated_template.rpartition("/")
        name = database_url.rpartition("/")[2]
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            _execute(connection, f'DROP DATABASE "{name}"')
            _execute(connection, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return database_url


@pytest.fixture(scope="session")
def migrated_template(
    server_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A SQL database that `manage.py migrate` has made and that nobody is connected to."""
    if os.environ.get("MONGOCLAW_TEST_DATABASE") != "postgres":
        url = f"sqlite:///{tmp_path_factory.mktemp('template')}/database.sqlite3"
        _migrate(url)
        yield url
        return
    with _postgres_database(server_url("postgres")) as url:
        _migrate(url)
        yield url


@contextmanager
def _postgres_database(server: str) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:20]}"
    with psycopg.connect(server, autocommit=True) as connection:
        _execute(connection, f'CREATE DATABASE "{name}"')
        yield f"{server.rpartition('/')[0]}/{name}"
        _execute(connection, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement)  # type: ignore[call-overload,unused-ignore]


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        env=os.environ | {"MONGOCLAW_DATABASE__URL": url},
        cwd=ACCEPTANCE.parents[1],
        check=True,
        timeout=120,
    )


def _path(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def sandbox_model(server_url: Callable[[str], str], worker_number: int) -> Iterator[ModelControl]:
    """A sandbox model without latency, faults or counted calls; no other test uses it at the time."""
    model = ModelControl(server_url(f"model-gw{worker_number}"))
    model.reset()
    yield model
    model.reset()
