"""The key that signs sessions and forms."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from mongoclaw_project.config import Settings

FILE_NAME: Final = "secret-key"


def secret_key(settings: Settings) -> str:
    """The configured key; in development a random one that is kept below the state directory; else nothing.

    With nothing Django refuses to sign, and `mongoclaw.E001` says why.
    """
    if settings.security.secret_key or not settings.is_development:
        return settings.security.secret_key
    return _kept(settings.state_dir / FILE_NAME)


def _kept(path: Path) -> str:
    """The key in a file, which the first of several processes writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # A draft of one's own: neither threads nor containers that share the directory may share it.
        with NamedTemporaryFile("w", encoding="ascii", dir=path.parent, prefix=f"{path.name}.") as draft:
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            with suppress(FileExistsError):
                path.hardlink_to(draft.name)
    return path.read_text(encoding="ascii")
