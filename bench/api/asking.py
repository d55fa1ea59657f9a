"""A program that asks over connections that it keeps, and spends next to nothing on it itself."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

_OK = b"HTTP/1.1 200 "
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Answers:
    """What became of requests: the milliseconds of each, and how long all took together."""

    milliseconds: tuple[float, ...]
    seconds: float


class Asker:
    """One connection. `who` is the header that says who asks."""

    def __init__(self, address: str, who: str) -> None:
        self._place = urlsplit(address)
        self._who = who
        self._socket: socket.socket | None = None

    def milliseconds(self, path: str) -> float:
        """Ask once. Raises OSError for any answer but 200."""
        started = time.perf_counter()
        try:
            self._asked(path)
        except ConnectionError:  # an idle connection was closed by the server
            self.close()
            self._asked(path)
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _asked(self, path: str) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(
                (self._place.hostname, self._place.port or 80), timeout=60
            )
        head = f"GET {path} HTTP/1.1\r\nHost: {self._place.netloc}\r\n{self._who}\r\n\r\n"
        self._socket.sendall(head.encode())
        found = b""
        while b"\r\n\r\n" not in found:
            found += self._received()
        head_bytes, _, body = found.partition(b"\r\n\r\n")
        if not head_bytes.startswith(_OK):
            raise OSError(f"{path} is answered {head_bytes[:80]!r}")
        length = int(head_bytes.lower().partition(_LENGTH)[2].split(b"\r\n")[0])
        missing = length - len(body)
        while missing > 0:
            missing -= len(self._received())

    def _received(self) -> bytes:
        part = self._socket.recv(65536) if self._socket is not None else b""
        if not part:
            raise ConnectionResetError("the server has hung up")
        return part


def asked(address: str, who: str, path: str, *, times: int, at_once: int = 1) -> Answers:
    """Ask so many times over so many connections, after a first time on each that is not counted."""
    askers = [Asker(address, who) for _ in range(at_once)]
    try:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda asker: asker.milliseconds(path), askers))
            started = time.perf_counter()
            each = list(
                pool.map(
                    lambda asker: [asker.milliseconds(path) for _ in range(times // at_once)],
                    askers,
                )
            )
            seconds = time.perf_counter() - started
    finally:
        for asker in askers:
            asker.close()
    return Answers(tuple(found for some in each for found in some), seconds)
