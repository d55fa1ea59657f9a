"""How a running system tells commands in the same folder where its parts are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.addresses import Addresses, write_private
from sandbox.errors import SandboxError
from sandbox.identity import ProcessIdentity, identify

FILE_NAME = "addresses.json"


@dataclass(frozen=True)
class Announcement:
    """A system, the process that runs it and ends it, and settings, as `group.field`, that commands share with it."""

    process: ProcessIdentity
    addresses: Addresses
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@contextmanager
def announced(
    addresses: Addresses, data_dir: Path, settings: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Keeps this process's addresses and shared settings in `data_dir` until the block ends; raises SandboxError."""
    process = identify(os.getpid())
    if process is None:
        raise SandboxError("this process cannot tell when it was started: is /proc mounted?")
    path = data_dir / FILE_NAME
    said_so = {"process": asdict(process), "addresses": asdict(addresses), "settings": dict(settings or {})}
    write_private(path, said_so)
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
        process, addresses = ProcessIdentity(**data["process"]), Addresses(**data["addresses"])
        said = Announcement(process, addresses, dict(data.get("settings", {})))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if said.process.is_alive() else None
