"""An embedded MongoDB: one mongod as a replica set of one, because change streams need a replica set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.embedded.binaries import find_mongod
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.replica_set import SET_NAME, make_primary
from sandbox.embedded.server import Recipe, RunningServer, mongod_complaint, start_server

if TYPE_CHECKING:
    from pathlib import Path

CACHE_GB = 0.25


def start_mongod(
    data_dir: Path,
    *,
    port: int | None = None,
    die_with_parent: bool = True,
    replica_set: bool = True,
    start_seconds: float = 60.0,
) -> RunningServer:
    """Starts mongod and waits until it accepts writes.

    With `replica_set` False it stays a standalone server, which has no change streams.
    Raises BinaryMissing, DataDirectoryBusy, PortTaken or ServerStartFailed.
    """
    program = str(find_mongod())
    data_dir = data_dir.resolve()
    files = data_dir / "files"
    files.mkdir(parents=True, exist_ok=True)

    def command(chosen: int) -> tuple[str, ...]:
        return (
            program,
            *("--dbpath", str(files), "--port", str(chosen), "--bind_ip", LOOPBACK, "--nounixsocket"),
            *("--wiredTigerCacheSizeGB", str(CACHE_GB), "--oplogSize", "256", "--quiet"),
            # The full-time diagnostic capture costs a constant share of a small machine.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # A stop would otherwise wait up to 15 s for clients to move to another member; there is none.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
            *(("--replSet", SET_NAME) if replica_set else ()),
        )

    recipe = Recipe(
        name="mongod",
        command=command,
        url=lambda chosen: (
            f"mongodb://{LOOPBACK}:{chosen}/{f'?replicaSet={SET_NAME}' if replica_set else ''}"
        ),
        start_seconds=start_seconds,
        complaint=mongod_complaint,
    )
    server = start_server(recipe, data_dir, port=port, die_with_parent=die_with_parent)
    if replica_set:
        try:
            make_primary(server.port, seconds=start_seconds)
        except BaseException:
            server.stop()
            raise
    return server
