"""A TCP relay on a thread of its own that can cut, delay, or swallow everything while connections stay open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from sandbox.embedded.ports import LOOPBACK

_CHUNK: Final = 65_536


class Relay:
    """Relays to a port on loopback.

    `aliases` are texts in the server's replies and what its clients are told instead, each of the same length: so a
    replica set names its members by the ports of their relays, and the driver comes back through these.
    """

    def __init__(self, target: int, *, aliases: Mapping[bytes, bytes] | None = None) -> None:
        self._target = target
        self.aliases = dict(aliases or {})
        self._delay = 0.0
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)
        self._thread.start()
        self._ready.wait()

    def __enter__(self) -> Self:
        """It relays already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and take no more."""
        with suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def cut(self) -> None:
        """Reset all connections, and every new one until `heal`."""
        self._loop.call_soon_threadsafe(self._cut)

    def slow(self, seconds: float) -> None:
        """Let everything through so much later."""
        self._loop.call_soon_threadsafe(self._slow, seconds)

    def darken(self) -> None:
        """Let nothing through from now on; nobody is told."""
        self._loop.call_soon_threadsafe(self._light.clear)

    def heal(self) -> None:
        """Let everything through again; what was swallowed while it was dark comes late."""
        self._loop.call_soon_threadsafe(self._heal)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over, self._light = asyncio.Event(), asyncio.Event()
        self._light.set()
        server = await asyncio.start_server(self._take, LOOPBACK, 0, backlog=1024)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        # A connection that was taken a moment ago is known only once its task has begun.
        for _ in range(3):
            await asyncio.sleep(0)
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def _slow(self, seconds: float) -> None:
        self._delay = seconds

    def _heal(self) -> None:
        self._is_cut, self._delay = False, 0.0
        self._light.set()

    async def _take(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        ends = {to_client}
        self._open.add(to_client)
        try:
            with suppress(
                asyncio.CancelledError, OSError
            ):  # the relay is closed, or nobody is there to relay to
                server, to_server = await asyncio.open_connection(LOOPBACK, self._target)
                ends.add(to_server)
                self._open.add(to_server)
                if self._is_cut:
                    self._cut()
                pumps = (self._pump(client, to_server, {}), self._pump(server, to_client, self.aliases))
                await asyncio.gather(*pumps)
        finally:
            self._open -= ends
            for writer in ends:
                writer.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, aliases: Mapping[bytes, bytes]
    ) -> None:
        held = b""
        try:
            while data := await source.read(_CHUNK):
                await self._light.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                renamed, held = rename(held + data, aliases)
                sink.write(renamed)
                await sink.drain()
            await self._light.wait()
            sink.write(held)
            sink.write_eof()
        except OSError:
            sink.transport.abort()


def rename(data: bytes, aliases: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Replace the texts; what may be the beginning of one at the end of `data` is held back, and returned last."""
    for text, alias in aliases.items():
        data = data.replace(text, alias)
    held = max((_overlap(data, text) for text in aliases), default=0)
    return data[: len(data) - held], data[len(data) - held :]


def _overlap(data: bytes, text: bytes) -> int:
    """Count the last bytes of `data` that `text` begins with, all of it excepted."""
    return next((size for size in range(len(text) - 1, 0, -1) if data.endswith(text[:size])), 0)
