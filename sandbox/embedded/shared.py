"""Servers that several processes of one run share: the first that needs one makes the owner start it."""

from __future__ import annotations

import atexit
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from sandbox import errors
from sandbox.embedded.server import RunningServer

Starter = Callable[[Path], RunningServer]


class SharedServers:
    """Owns the servers: starts each on first demand, for this process or one that asks, and stops all.

    The servers are children of this process, so they end with it even if it is killed.
    """

    def __init__(self, data_dir: Path, starters: Mapping[str, Starter]) -> None:
        self._data_dir = data_dir
        self._starters = starters
        self._running: dict[str, RunningServer] = {}
        self._lock = threading.Lock()
        # In the system's directory, because the path of a socket may not be longer than 107 bytes.
        self._socket_dir = tempfile.TemporaryDirectory(prefix="mongoclaw-")
        self.address = f"{self._socket_dir.name}/servers"
        self._listener = Listener(self.address, family="AF_UNIX")
        atexit.register(self.stop)
        threading.Thread(target=self._answer_all, name="shared-servers", daemon=True).start()

    def url(self, name: str) -> str:
        """The address of the named server, started now if it was not; raises SandboxError."""
        with self._lock:
            if name not in self._running:
                self._running[name] = self._starters[name](self._data_dir / name)
            return self._running[name].url

    def stop(self) -> None:
        """Stops what was started, the last first; calling it again does nothing."""
        atexit.unregister(self.stop)
        with suppress(OSError):
            self._listener.close()
        with self._lock:
            for server in reversed(self._running.values()):
                server.stop()
            self._running.clear()
        self._socket_dir.cleanup()

    def _answer_all(self) -> None:
        # This thread starts servers and lives as long as the process, as `spawn` asks for.
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            with connection, suppress(EOFError, OSError):
                self._answer(connection)

    def _answer(self, connection: Connection) -> None:
        name = connection.recv()
        try:
            connection.send(("url", self.url(name)))
        except errors.SandboxError as exc:
            connection.send((type(exc).__name__, str(exc)))


def ask(address: str, name: str) -> str:
    """The address of a server that another process owns; raises SandboxError with the owner's words."""
    with Client(address, family="AF_UNIX") as connection:
        connection.send(name)
        kind, text = connection.recv()
    if kind == "url":
        return str(text)
    raise getattr(errors, kind, errors.ServerStartFailed)(text)
