"""Where the parts of a running system are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True)
class Addresses:
    """What a user or a test connects to; `model` is None where a real provider answers, `flower` where it is off."""

    mongodb: str
    broker: str
    database: str
    web: str
    model: str | None = None
    flower: str | None = None

    def without_secrets(self) -> Addresses:
        """The same with passwords hidden, for the terminal."""
        shown = {key: hide_password(value) if value else None for key, value in asdict(self).items()}
        return Addresses(**shown)  # type: ignore[arg-type]  # keys and kinds are its own

    def write(self, path: Path) -> None:
        """Writes them as JSON, whole or not at all; readable by the owner alone."""
        write_private(path, asdict(self))


def write_private(path: Path, data: object) -> None:
    """Writes JSON, whole or not at all; readable by the owner alone."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(data, indent=2))
    partial.replace(path)


def hide_password(url: str) -> str:
    """The address with `***` for the password."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}")) if at and colon else url
