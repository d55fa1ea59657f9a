"""An embedded PostgreSQL, for tests and for trying the fleet's database on one machine."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from sandbox.embedded.binaries import find_postgres
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.server import Recipe, RunningServer, start_server
from sandbox.errors import ServerStartFailed
from sandbox.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

ROLE = DATABASE = "mongoclaw"
_SAFETY = ("fsync", "synchronous_commit", "full_page_writes")
_UNPRIVILEGED_USERS = ("postgres", "nobody")


def start_postgres(
    data_dir: Path, *, port: int | None = None, die_with_parent: bool = True, durable: bool = True
) -> RunningServer:
    """Starts PostgreSQL with a role and a database named mongoclaw, open on loopback without a password.

    As root it runs as an unprivileged user, because PostgreSQL refuses root. `durable` False trades
    safety of the data against a power cut for speed: for tests.
    """
    programs = find_postgres()
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    user = _unprivileged_user() if os.geteuid() == 0 else None
    cluster = data_dir / "cluster"
    if not (cluster / "PG_VERSION").exists():
        _initialise(programs, cluster, user)
    recipe = Recipe(
        name="postgres",
        command=partial(_command, programs, cluster, durable=durable),
        url=lambda chosen: f"postgresql://{ROLE}@{LOOPBACK}:{chosen}/{DATABASE}",
        stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: it does not wait for clients.
        user=user,
    )
    server = start_server(recipe, data_dir, port=port, die_with_parent=die_with_parent)
    try:
        _ensure_database(server)
    except BaseException:
        server.stop()
        raise
    return server


def _command(programs: Path, cluster: Path, port: int, *, durable: bool) -> tuple[str, ...]:
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",  # TCP only: a Unix socket's path may not be longer than 107 bytes.
        "max_connections": "200",
        "shared_buffers": "64MB",
        **({} if durable else dict.fromkeys(_SAFETY, "off")),
    }
    given = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
    return (str(programs / "postgres"), "-D", str(cluster), "-p", str(port), *given)


def _unprivileged_user() -> str:
    for name in _UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServerStartFailed(
        "PostgreSQL refuses to run as root and neither user postgres nor user nobody exists"
    )


def _initialise(programs: Path, cluster: Path, user: str | None) -> None:
    shutil.rmtree(cluster, ignore_errors=True)  # What an interrupted initdb left has no PG_VERSION yet.
    cluster.mkdir(mode=0o700)
    if user is not None:
        os.chown(cluster, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    done = subprocess.run(
        [
            str(programs / "initdb"),
            "-D",
            str(cluster),
            "-U",
            ROLE,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ],
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(cluster, ignore_errors=True)
        why = (done.stderr.strip().splitlines() or ["no message"])[-1]
        as_user = f" as user {user}, who must be able to enter {cluster.parent}" if user else ""
        raise ServerStartFailed(f"PostgreSQL's initdb failed{as_user}: {why}")


def _ensure_database(server: RunningServer) -> None:
    """Creates the database once; a server that recovers from a crash refuses connections at first."""
    maintenance = f"postgresql://{ROLE}@{LOOPBACK}:{server.port}/postgres"
    if not wait_until(lambda: _accepts(maintenance), seconds=30):
        raise ServerStartFailed(
            f"PostgreSQL on port {server.port} refuses connections (see postgres.log in {server.data_dir})"
        )
    with psycopg.connect(maintenance, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
