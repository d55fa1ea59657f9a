"""The server: one event loop, one protocol object per connection, timers instead of threads for latency."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sandbox.model.calls import CallLog
from sandbox.model.completion import BadRequest, read_question
from sandbox.model.control import control
from sandbox.model.faults import FaultKind, FaultScript
from sandbox.model.http import HttpError, response, take_request
from sandbox.model.latency import Latency
from sandbox.model.replies import Reply, faulty_reply, sound_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.model.calls import Call
    from sandbox.model.completion import Question
    from sandbox.model.faults import FaultRule
    from sandbox.model.http import Request

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_DRIP_STEPS = 50
_AT_ONCE = (FaultKind.RATE_LIMIT, FaultKind.INSUFFICIENT_QUOTA, FaultKind.UNAUTHORIZED, FaultKind.UNAVAILABLE)


@dataclass
class ModelState:
    """All that the connections share."""

    latency: Latency = field(default_factory=lambda: Latency("fixed", 0.0, 0.0))
    calls: CallLog = field(default_factory=CallLog)
    faults: FaultScript = field(default_factory=FaultScript)


class Connection(asyncio.Protocol):
    """One client: one call at a time, the next after the reply."""

    def __init__(self, state: ModelState, loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._loop = loop
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the reason does not matter
        """Records that the client left before its answer."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._call is not None:
            self._state.calls.end(self._call, "abandoned", now=time.time())

    def data_received(self, data: bytes) -> None:
        """Takes in what came and handles the next whole request."""
        self._buffer += data
        self._take_next()

    def _take_next(self) -> None:
        while not self._busy and self._buffer and self._transport is not None:
            try:
                request = take_request(self._buffer)
            except HttpError as exc:
                self._transport.write(response(exc.status, str(exc).encode(), keep_alive=False))
                self._transport.close()
                return
            if request is None:
                return
            self._handle(request)

    def _handle(self, request: Request) -> None:
        external = request.path == "/external"
        if request.method != "POST" or not (external or request.path.endswith("/chat/completions")):
            self._send(control(self._state, request))
            return
        try:
            question = read_question(request.body, external=external)
        except BadRequest as exc:
            self._send(response(400, b'{"error": {"message": "%s"}}' % str(exc).encode()))
            return
        self._busy = True
        now = time.time()
        self._call = self._state.calls.begin(question.hash, question.prompt, now=now)
        rule = self._state.faults.next_for(question.prompt, now=time.monotonic())
        if rule is None:
            reply = sound_reply(question, created=int(now))
            self._timer = self._loop.call_later(
                self._state.latency.seconds(), self._finish, reply, "answered"
            )
        else:
            self._fail(rule, question, created=int(now))

    def _fail(self, rule: FaultRule, question: Question, *, created: int) -> None:
        if rule.kind is FaultKind.HANG:
            return  # The client gives up some time, and `connection_lost` records it.
        seconds = self._state.latency.seconds()
        if rule.latency_ms is not None:
            seconds = rule.latency_ms / 1000
        elif rule.kind in _AT_ONCE:
            seconds = 0.0
        reply = faulty_reply(rule, question, created=created)
        then: Callable[..., None] = self._finish
        arguments: tuple[object, ...] = (reply, str(rule.kind))
        if rule.kind is FaultKind.RESET:
            then, arguments = self._reset, ()
        elif rule.kind is FaultKind.SLOW_DRIP:
            then, arguments = self._drip, (reply, 0, rule.drip_seconds)
        self._timer = self._loop.call_later(seconds, then, *arguments)

    def _finish(self, reply: Reply, outcome: str) -> None:
        self._send(reply.data)
        self._end_call(reply, outcome)

    def _end_call(self, reply: Reply, outcome: str) -> None:
        if self._call is not None:
            self._call.answer = reply.answer
            self._state.calls.end(self._call, outcome, now=time.time())
        self._call = self._timer = None
        self._busy = False
        if self._buffer:
            self._take_next()

    def _drip(self, reply: Reply, sent: int, seconds: float) -> None:
        size = max(1, len(reply.data) // _DRIP_STEPS)
        self._send(reply.data[sent : sent + size])
        if sent + size >= len(reply.data):
            self._end_call(reply, str(FaultKind.SLOW_DRIP))
            return
        self._timer = self._loop.call_later(seconds / _DRIP_STEPS, self._drip, reply, sent + size, seconds)

    def _reset(self) -> None:
        if self._call is not None:
            self._state.calls.end(self._call, str(FaultKind.RESET), now=time.time())
        if self._transport is not None:
            raw = cast("socket.socket", self._transport.get_extra_info("socket"))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(state: ModelState, port: int, *, ready: Callable[[int], None]) -> None:
    """Serves on loopback until SIGINT or SIGTERM; `ready` is told the port, which matters for port 0."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: Connection(state, loop), "127.0.0.1", port, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()
