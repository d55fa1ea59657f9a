"""Child processes that end with their parent, however the parent ends."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_WATCH = """
import os, sys
sys.stdin.read()
try:
    os.kill(int(sys.argv[1]), int(sys.argv[2]))
except OSError:
    pass
"""
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Command:
    """What to run.

    `death_signal` is what the child gets when the parent is gone; None lets the child outlive its parent.
    `user` runs it as that user (needs root).
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    directory: Path | None = None
    death_signal: signal.Signals | None = signal.SIGKILL
    user: str | None = None


def spawn(command: Command, *, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Starts the child in a session of its own, so that Ctrl-C in the terminal reaches only us.

    Call it from a thread that lives as long as the process: on Linux the kernel sends the death signal
    when the thread that started the child ends. Elsewhere a small watcher process sends it.
    """
    parent = os.getpid()
    process = subprocess.Popen(
        command.argv,
        env=dict(command.env) if command.env is not None else None,
        cwd=command.directory,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=command.user,
        group=_group_of(command.user),
        extra_groups=[] if command.user else None,
        # One system call on a library that is loaded already: nothing that another thread could hold locked.
        preexec_fn=_bind_to_parent(parent, command.death_signal),  # noqa: PLW1509
    )
    if _LIBC is None and command.death_signal is not None:
        watch_parent(process.pid, command.death_signal)
    return process


def _bind_to_parent(parent: int, death_signal: signal.Signals | None) -> Callable[[], None] | None:
    if _LIBC is None or death_signal is None:
        return None
    prctl, number = _LIBC.prctl, int(death_signal)

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # The parent ended between fork and prctl: the signal would never come.

    return bind


def watch_parent(pid: int, death_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """Starts a process that signals `pid` when this one is gone: it notices by the end of its input."""
    reader, writer = os.pipe()
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-c", _WATCH, str(pid), str(int(death_signal))],
        stdin=reader,
        start_new_session=True,
    )
    os.close(reader)
    # `writer` stays open for the life of this process; children do not inherit it.
    _held_open.append(writer)
    return watcher


_held_open: list[int] = []


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid
