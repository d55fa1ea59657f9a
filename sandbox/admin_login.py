"""The administrator's login of a local system: made up once and kept in its data directory."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "admin.json"


@dataclass(frozen=True)
class AdminLogin:
    """A user name and a password."""

    username: str
    password: str


def admin_login(data_dir: Path) -> AdminLogin:
    """The login kept in the directory, made up if there is none; the file is readable by its owner alone."""
    path = data_dir / FILE_NAME
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return AdminLogin(username=str(kept["username"]), password=str(kept["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        login = AdminLogin(username="admin", password=secrets.token_urlsafe(12))
    data_dir.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(login), file)
    return login
