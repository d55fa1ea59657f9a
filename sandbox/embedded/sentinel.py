"""An embedded Sentinel, which watches a Valkey and makes its replica the master when it dies: for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.embedded.binaries import find_valkey
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.server import Recipe, RunningServer, start_server

if TYPE_CHECKING:
    from pathlib import Path

MASTER: Final = "mymaster"
DOWN_AFTER_MILLISECONDS: Final = 1000


def start_sentinel(data_dir: Path, *, master_port: int, port: int | None = None) -> RunningServer:
    """Starts one Sentinel, whose word alone suffices, and waits until it listens."""
    program = str(find_valkey())
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    written = data_dir / "sentinel.conf"
    written.write_text(
        f"sentinel monitor {MASTER} {LOOPBACK} {master_port} 1\n"
        f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MILLISECONDS}\n"
        f"sentinel failover-timeout {MASTER} {5 * DOWN_AFTER_MILLISECONDS}\n"
    )

    def command(chosen: int) -> tuple[str, ...]:
        return (program, str(written), "--sentinel", "--port", str(chosen), "--bind", LOOPBACK)

    recipe = Recipe(name="sentinel", command=command, url=lambda chosen: f"sentinel://{LOOPBACK}:{chosen}")
    return start_server(recipe, data_dir, port=port)
