"""How a running system tells commands in the same folder where its parts are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.addresses import Addresses, write_private
from sandbox.errors import SandboxError
from sandbox.identity import ProcessIdentity, identify

FILE_NAME = "addresses.json"


@dataclass(frozen=True)
class Announcement:
    """A system, and the process that runs it and ends it."""

    process: ProcessIdentity
    addresses: Addresses


@contextmanager
def announced(addresses: Addresses, data_dir: Path) -> Iterator[None]:
    """Keeps this process's addresses in `data_dir` until the block ends; raises SandboxError."""
    process = identify(os.getpid())
    if process is None:
        raise SandboxError("this process cannot tell when it was started: is /proc mounted?")
    path = data_dir / FILE_NAME
    write_private(path, {"process": asdict(process), "addresses": asdict(addresses)})
    try:
        yield
    finally:
        said = read_announcement(path)
        if said is not None and said.process == process:
            path.unlink(missing_ok=True)


def read_announcement(path: Path) -> Announcement | None:
    """What a running system says; None where nothing runs any more, or where somebody else says it."""
    try:
        if path.stat().st_uid != os.geteuid():
            return None
        data = json.loads(path.read_text())
        said = Announcement(ProcessIdentity(**data["process"]), Addresses(**data["addresses"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if said.process.is_alive() else None
