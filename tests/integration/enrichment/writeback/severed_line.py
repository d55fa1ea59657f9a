"""A line to MongoDB that breaks at the worst moment: the write is done, and its answer never arrives."""

from __future__ import annotations

import contextlib
import socket
import threading


class SeveredLine:
    """Forwards to `target` (host, port). After `arm()`, the answer to the next write of a kind is cut off."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._marker: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, command: str = "update") -> None:
        """Cut the answer to the next `command`."""
        self._marker = b"\x02" + command.encode() + b"\x00"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        doomed = threading.Event()
        threading.Thread(target=self._answers, args=(client, server, doomed), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._marker is not None and self._marker in data:
                    self._marker = None
                    doomed.set()
                server.sendall(data)
        server.close()

    def _answers(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if doomed.is_set():
                    self.cuts += 1
                    break
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()
