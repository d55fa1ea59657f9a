"""The addresses of a `mongoclaw dev` that runs in the same folder, and the settings that commands share with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE_NAME: Final = "addresses.json"


@dataclass(frozen=True, slots=True)
class Running:
    """Settings by group and field, and who gave them; empty where nothing runs."""

    source: str = ""
    addresses: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)


def running_system(state_dir: Path) -> Running:
    """What `mongoclaw dev` with this state directory has announced, as long as it runs."""
    path = state_dir / FILE_NAME
    if not path.exists():
        return Running()
    from sandbox.announcement import read_announcement  # installations that serve have no need of the sandbox

    said = read_announcement(path)
    if said is None:
        return Running()
    addresses = {
        ("mongodb", "uri"): said.addresses.mongodb,
        ("redis", "url"): said.addresses.broker,
        ("database", "url"): said.addresses.database,
    }
    if said.addresses.model is not None:
        addresses["ai", "sandbox_url"] = said.addresses.model
    for name, value in said.settings.items():
        group, _, setting = name.partition(".")
        addresses[group, setting] = value
    return Running(f"mongoclaw dev (process {said.process.pid})", addresses)
