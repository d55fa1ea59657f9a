"""The key that signs sessions and forms."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
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
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii")
