"""Free loopback ports, chosen without a race and remembered, so that a restarted server keeps its address."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import PortTaken, ServerStartFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
# Below the range from which Linux (32768+) and macOS (49152+) take ports for outgoing connections:
# a port that is free now is not handed to some client before the server listens.
FIRST_PORT = 20000
LAST_PORT = 29999
_UNPRIVILEGED = range(1024, 65536)


@contextmanager
def reserved_port(memory: Path, *, port: int | None = None) -> Iterator[int]:
    """Holds a free port until the block ends, by when the server must listen on it.

    With `port` only that one is tried. Otherwise the port written in the file `memory` comes first, then
    others in an order that depends on the path alone, so that a project gets the same address again.
    Raises PortTaken when `port` is in use.
    """
    for candidate in [port] if port is not None else _candidates(memory):
        lock = _lock(candidate)
        if lock is None:
            continue
        try:
            if not is_free(candidate):
                continue
            yield candidate
            memory.write_text(f"{candidate}\n")
            return
        finally:
            os.close(lock)
    if port is not None:
        raise PortTaken(
            f"port {port} on {LOOPBACK} is in use by another process: stop it or choose another port"
        )
    raise ServerStartFailed(f"no free port between {FIRST_PORT} and {LAST_PORT} on {LOOPBACK}")


def remembered_port(memory: Path) -> int | None:
    """The port written in the file `memory`, if a sound one is."""
    try:
        port = int(memory.read_text())
    except (OSError, ValueError):
        return None
    return port if port in _UNPRIVILEGED else None


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT do not count, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _candidates(memory: Path) -> Iterator[int]:
    remembered = remembered_port(memory)
    if remembered is not None:
        yield remembered
    count = LAST_PORT - FIRST_PORT + 1
    first = int.from_bytes(hashlib.sha256(str(memory.resolve()).encode()).digest()[:8], "big") % count
    for step in range(count):
        yield FIRST_PORT + (first + step) % count


def _lock(port: int) -> int | None:
    directory = Path(tempfile.gettempdir()) / f"mongoclaw-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(directory / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
