"""A TCP relay that can swallow everything: connections stay open, new ones are taken, and nothing comes through."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from sandbox.embedded.ports import LOOPBACK


class Blackhole:
    """Relays to a port on loopback. What is swallowed while it is dark comes through after `heal`, late."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._light = threading.Event()
        self._light.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="blackhole", daemon=True).start()

    def __enter__(self) -> Self:
        """It relays already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._light.set()
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def darken(self) -> None:
        """Let nothing through from now on; nobody is told."""
        self._light.clear()

    def heal(self) -> None:
        """Let everything through again."""
        self._light.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._target))
            except OSError:
                return
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._light.wait()
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
