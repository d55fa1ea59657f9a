"""The places on disk that processes write to, looked at before anything is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dj_database_url

from mongoclaw_project.config import Settings, SettingsInvalid


def prepare_places(settings: Settings, *, with_database: bool = True) -> None:
    """Make the directories that are missing. Raises SettingsInvalid with a line for each unusable place."""
    problems = list(_state_dir(settings))
    if with_database and not problems:
        problems += _database(settings)
    if problems:
        raise SettingsInvalid(tuple(problems))


def sqlite_file(settings: Settings) -> Path | None:
    """The SQLite file; None with another database, or with none."""
    url = settings.database.url
    return Path(str(dj_database_url.parse(url)["NAME"])) if url.startswith("sqlite:") else None


def _state_dir(settings: Settings) -> Iterator[str]:
    """Only development keeps something there."""
    why = _unusable(settings.state_dir) if settings.is_development else None
    if why:
        yield f"MONGOCLAW_STATE_DIR: the directory {settings.state_dir} cannot be used ({why})"


def _database(settings: Settings) -> Iterator[str]:
    file = sqlite_file(settings)
    if file is None:
        return
    why = _unusable(file.parent)
    if why is None and file.exists():
        why = "it is a directory" if file.is_dir() else _unwritable(file)
    if why:
        yield f"MONGOCLAW_DATABASE__URL: the SQLite file {file} cannot be used ({why})"


def _unusable(directory: Path) -> str | None:
    """Why nothing can be made in a directory; SQLite makes files beside its own."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{directory} cannot be made: {error.strerror}"
    return _unwritable(directory)


def _unwritable(path: Path) -> str | None:
    return None if os.access(path, os.W_OK) else f"{path} may not be written"
