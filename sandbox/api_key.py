"""The API key of a local system: made up once and kept in its data directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

FILE_NAME: Final = "api-key"
_LEAST: Final = 16


def api_key(data_dir: Path) -> str:
    """The key kept in the directory, made up if there is none; the file is readable by its owner alone."""
    path = data_dir / FILE_NAME
    kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    if len(kept) >= _LEAST:
        return kept
    key = f"dev_{secrets.token_urlsafe(24)}"
    data_dir.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(key)
    return key
