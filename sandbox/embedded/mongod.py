"""An embedded MongoDB: one mongod as a replica set of one, because change streams need a replica set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.embedded.binaries import find_mongod
from sandbox.embedded.ports import LOOPBACK, remembered_port
from sandbox.embedded.replica_set import SET_NAME, make_primary, rewrite_address
from sandbox.embedded.server import Recipe, RunningServer, start_server

CACHE_GB = 0.25
OPLOG_MB = 256


def start_mongod(
    data_dir: Path,
    *,
    port: int | None = None,
    die_with_parent: bool = True,
    replica_set: bool = True,
    start_seconds: float = 60.0,
    oplog_mb: int = OPLOG_MB,
    options: tuple[str, ...] = (),
) -> RunningServer:
    """Starts mongod and waits until it accepts writes.

    With `replica_set` False it stays a standalone server, which has no change streams. `options` are more words
    for its command line; `oplog_mb` counts at the first start only.
    Raises BinaryMissing, DataDirectoryBusy, PortTaken or ServerStartFailed.
    """
    starter = _Starter(
        data_dir.resolve(), str(find_mongod()), die_with_parent, start_seconds, oplog_mb, options
    )
    before = remembered_port(starter.data_dir / "mongod.port")
    has_data = (starter.files / "WiredTiger").exists()
    server = starter.start(port, replica_set=replica_set)
    if not replica_set:
        return server
    if has_data and before != server.port:
        server = _moved(starter, server)
    try:
        make_primary(server.port, seconds=start_seconds)
    except BaseException:
        server.stop()
        raise
    return server


def start_member(
    data_dir: Path,
    *,
    port: int | None = None,
    oplog_mb: int = OPLOG_MB,
    die_with_parent: bool = True,
    start_seconds: float = 60.0,
) -> RunningServer:
    """Starts mongod for a replica set that somebody else initiates, and waits until it listens.

    `oplog_mb` counts at the first start only. Raises BinaryMissing, DataDirectoryBusy, PortTaken or
    ServerStartFailed.
    """
    starter = _Starter(data_dir.resolve(), str(find_mongod()), die_with_parent, start_seconds, oplog_mb)
    return starter.start(port, replica_set=True)


def _moved(starter: _Starter, server: RunningServer) -> RunningServer:
    """Teaches a replica set of one its new port.

    A member that does not find itself in the configuration asks the old address who it is, half a minute long
    if a stranger listens there. So the configuration is changed while the server runs standalone.
    """
    server.kill()
    standalone = starter.start(server.port, replica_set=False)
    try:
        rewrite_address(standalone.port)
    finally:
        standalone.stop()
    return starter.start(server.port, replica_set=True)


@dataclass(frozen=True)
class _Starter:
    data_dir: Path
    program: str
    die_with_parent: bool
    seconds: float
    oplog_mb: int
    options: tuple[str, ...] = ()

    @property
    def files(self) -> Path:
        return self.data_dir / "files"

    def start(self, port: int | None, *, replica_set: bool) -> RunningServer:
        self.files.mkdir(parents=True, exist_ok=True)
        options = f"?replicaSet={SET_NAME}" if replica_set else ""
        recipe = Recipe(
            name="mongod",
            command=lambda chosen: self._command(chosen, replica_set=replica_set),
            url=lambda chosen: f"mongodb://{LOOPBACK}:{chosen}/{options}",
            start_seconds=self.seconds,
            complaint=_complaint,
        )
        return start_server(recipe, self.data_dir, port=port, die_with_parent=self.die_with_parent)

    def _command(self, port: int, *, replica_set: bool) -> tuple[str, ...]:
        return (
            self.program,
            *("--dbpath", str(self.files), "--port", str(port), "--bind_ip", LOOPBACK, "--nounixsocket"),
            *("--wiredTigerCacheSizeGB", str(CACHE_GB), "--oplogSize", str(self.oplog_mb), "--quiet"),
            # The full-time diagnostic capture costs a constant share of a small machine.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A stop would otherwise wait up to 15 s for clients to move to another member; there is none.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
            *(("--replSet", SET_NAME) if replica_set else ()),
            *self.options,
        )


def _complaint(log: str) -> str:
    """The most telling error of a mongod log, whose lines are JSON, as one line."""
    errors = [entry for line in log.splitlines() if (entry := _entry(line)).get("s") in ("F", "E")]
    told = [f"{entry.get('msg')}: {_cause(entry)}" for entry in errors if _cause(entry)]
    plain = [str(entry.get("msg")) for entry in errors if "***aborting" not in str(entry.get("msg"))]
    found = (told or plain or log.strip().splitlines() or [""])[-1]
    return " ".join(found.split())


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _cause(entry: dict[str, Any]) -> str:
    attributes = entry.get("attr")
    return str(attributes.get("error", "")) if isinstance(attributes, dict) else ""
