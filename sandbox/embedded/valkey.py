"""An embedded Valkey (or Redis)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.embedded.binaries import find_valkey
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.server import Recipe, RunningServer, start_server

if TYPE_CHECKING:
    from pathlib import Path


def start_valkey(
    data_dir: Path,
    *,
    port: int | None = None,
    die_with_parent: bool = True,
    append_only: bool = False,
    replica_of: int | None = None,
) -> RunningServer:
    """Starts it and waits until it listens; `replica_of` is the port of its master on loopback.

    Nothing is kept across a restart unless `append_only`: the ledger is the truth, the broker may be lost.
    """
    program = str(find_valkey())
    data_dir = data_dir.resolve()

    def command(chosen: int) -> tuple[str, ...]:
        return (
            program,
            *("--port", str(chosen), "--bind", LOOPBACK, "--dir", str(data_dir), "--daemonize", "no"),
            *(
                "--save",
                "",
                "--appendonly",
                "yes" if append_only else "no",
                "--maxmemory-policy",
                "noeviction",
            ),
            *(("--replicaof", f"{LOOPBACK} {replica_of}") if replica_of is not None else ()),
        )

    recipe = Recipe(name="valkey", command=command, url=lambda chosen: f"redis://{LOOPBACK}:{chosen}/0")
    return start_server(recipe, data_dir, port=port, die_with_parent=die_with_parent)
