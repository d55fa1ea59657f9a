"""A server that answers HTTP byte for byte as told, which no proper HTTP server would."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

Reply = Callable[[socket.socket], None]


def http(body: bytes | dict[str, Any], *, status: str = "200 OK", headers: str = "") -> bytes:
    """The bytes of a whole answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


def chat(content: str = "{}", **more: Any) -> dict[str, Any]:
    """The body of a sound chat completion."""
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 3}, **more}


class RawServer:
    """`reply` is called with the connection for each request that was read; `requests` are what came in."""

    def __init__(self, reply: bytes | Reply) -> None:
        self._reply: Reply = reply if callable(reply) else lambda connection: connection.sendall(reply)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.connections = 0
        self.answered = 0
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while head := b"".join(_until_blank(stream)):
                lines = head.decode("latin-1").split("\r\n")
                headers = {
                    key.lower(): value.strip()
                    for key, _, value in (line.partition(":") for line in lines[1:])
                }
                body = stream.read(int(headers.get("content-length", "0")))
                self.requests.append(({**headers, "": lines[0]}, json.loads(body) if body else None))
                self._reply(connection)
                self.answered += 1


def _until_blank(stream: Any) -> Iterator[bytes]:
    while (line := stream.readline()) not in (b"", b"\r\n"):
        yield line


def dripping(data: bytes, server: Callable[[], RawServer], *, every: float = 0.1) -> Reply:
    """Send `data` one byte at a time."""

    def reply(connection: socket.socket) -> None:
        for index in range(len(data)):
            connection.sendall(data[index : index + 1])
            if server().over.wait(every):
                return

    return reply
