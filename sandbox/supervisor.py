"""Runs the processes of one system: starts them in order, notices the first that dies, stops them in reverse.

Nothing is restarted silently. Every child is bound to this process by the kernel (see `sandbox.children`),
so none is left behind, not even after SIGKILL of the supervisor.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sandbox.child_output import OutputReader
from sandbox.children import Command, spawn
from sandbox.errors import ChildDied, ServerStartFailed
from sandbox.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from sandbox.child_output import Sink
    from sandbox.embedded.server import RunningServer

_POLL_SECONDS = 0.1
_LINES_SHOWN = 15


class StopAsked(Exception):
    """The system was asked to stop."""


@dataclass(frozen=True)
class ChildSpec:
    """A process to run; `is_ready` is asked until it is true, for `ready_seconds` at most."""

    name: str
    command: Command
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    is_ready: Callable[[], bool] | None = None
    ready_seconds: float = 60.0


class Child:
    """A running process with its output."""

    def __init__(self, spec: ChildSpec, sink: Sink) -> None:
        self.spec = spec
        try:
            self.process = spawn(spec.command, output=subprocess.PIPE)
        except OSError as exc:
            raise ServerStartFailed(f"{spec.name} could not be run: {spec.command.argv[0]}: {exc}") from exc
        if self.process.stdout is None:
            raise ServerStartFailed(f"{spec.name} has no output")
        self._output = OutputReader(spec.name, self.process.stdout, sink)

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.spec.name

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ends it and all that it started."""
        if self.is_alive():
            self.process.send_signal(self.spec.stop_signal)
        try:
            self.process.wait(self.spec.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._sweep()

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        self._sweep()
        self.process.kill()
        self.process.wait()

    def obituary(self) -> str:
        """How it ended and what it said last."""
        code = self.process.poll()
        how = (
            f"was killed by {signal.Signals(-code).name}"
            if code and code < 0
            else f"ended with exit code {code}"
        )
        lines = self._output.last_lines()[-_LINES_SHOWN:]
        return "\n".join([f"{self.name} {how}; its last lines:" if lines else f"{self.name} {how}", *lines])

    def _sweep(self) -> None:
        # It leads a process group of its own; what is left in the group are processes that it forgot.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class ServerChild:
    """An embedded server under supervision."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self.name = server.name

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._server.is_alive()

    def stop(self) -> None:
        """Ends it cleanly."""
        self._server.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._server.kill()

    def obituary(self) -> str:
        """What it said last."""
        return f"{self.name} ended; its last lines:\n{self._server.log_tail(_LINES_SHOWN)}"


class Supervisor:
    """Use it as a context manager: leaving the block stops everything, the last started first.

    Inside, SIGINT and SIGTERM ask for the stop; a second one does not wait for anything.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._children: list[Child | ServerChild] = []
        self._stop_asked = threading.Event()
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)  # type: ignore[arg-type]

    def adopt(self, server: RunningServer) -> RunningServer:
        """Takes over an embedded server that was started in this process."""
        self._children.append(ServerChild(server))
        self._raise_if_asked()
        return server

    def start(self, spec: ChildSpec) -> Child:
        """Starts a process and waits until it is ready; raises ChildDied, ServerStartFailed or StopAsked."""
        child = Child(spec, self._sink)
        self._children.append(child)
        self._await_ready(child)
        return child

    def child(self, name: str) -> Child | ServerChild:
        """The running child of that name; raises KeyError."""
        for child in self._children:
            if child.name == name:
                return child
        raise KeyError(name)

    def kill(self, name: str) -> None:
        """Kills a child on purpose, which then is no longer missed."""
        child = self.child(name)
        self._children.remove(child)
        child.kill()

    def check(self) -> None:
        """Raises ChildDied for the first child that ended by itself, StopAsked if a signal came."""
        for child in self._children:
            if not child.is_alive():
                raise ChildDied(child.obituary())
        self._raise_if_asked()

    def run(self, until: Callable[[], bool] = lambda: False, *, seconds: float | None = None) -> bool:
        """Watches the children until `until` is true or `seconds` are over; says whether it became true.

        Raises ChildDied or StopAsked.
        """

        def over() -> bool:
            self.check()
            return until()

        def pause(length: float) -> None:
            self._stop_asked.wait(length)

        return wait_until(
            over,
            seconds=seconds if seconds is not None else float("inf"),
            poll=_POLL_SECONDS,
            pause=pause,
        )

    def stop(self) -> None:
        """Stops all children, the last started first; a KeyboardInterrupt on the way kills the rest."""
        try:
            while self._children:
                self._children[-1].stop()
                self._children.pop()
        except KeyboardInterrupt:
            while self._children:
                self._children.pop().kill()
            raise

    def _await_ready(self, child: Child) -> None:
        is_ready = child.spec.is_ready
        if is_ready is not None and not self.run(is_ready, seconds=child.spec.ready_seconds):
            raise ServerStartFailed(f"{child.name} was not ready within {child.spec.ready_seconds:.0f} s")
        self.check()

    def _raise_if_asked(self) -> None:
        if self._stop_asked.is_set():
            raise StopAsked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the shape of a handler
        if self._stop_asked.is_set():
            raise KeyboardInterrupt
        self._stop_asked.set()
