"""Secrets in files: in the one directory that the operator names for agents, and nowhere else."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from enrichment.errors import ProviderAuthFailed

LARGEST: Final = 64 * 1024
"""Bytes that such a file may have."""

_NAME: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_SETTING: Final = "MONGOCLAW_SECURITY__SECRETS_DIR"
_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def file_secret(name: str, directory: Path | None, env: Mapping[str, str]) -> str:
    """Return what stands in a file, without the end of its line.

    Files that MongoClaw's own settings, or others by `…_FILE` in `env`, are read from are no agent's. Raises
    ProviderAuthFailed, which never quotes the file.
    """
    if directory is None:
        raise ProviderAuthFailed(
            f"file: names a secret in a file, and {_SETTING} names no directory for these"
        )
    if not _NAME.fullmatch(name):
        raise ProviderAuthFailed(f"file: is followed by the name of a file in {_SETTING}, without a path")
    try:
        base = directory.resolve(strict=True)
        path = (base / name).resolve(strict=True)
        if not path.is_relative_to(base) or path in _taken(env):
            raise ProviderAuthFailed(f"The file '{name}' leads out of {_SETTING}, or is read by a setting")
        found = _content(path)
    except (OSError, RuntimeError):  # a circle of links is the one or the other
        raise ProviderAuthFailed(f"There is no file '{name}' in {_SETTING} that can be read") from None
    if found is None:
        raise ProviderAuthFailed(
            f"The file '{name}' must hold one line of text, of {LARGEST:,} bytes at most"
        )
    return found


def _taken(env: Mapping[str, str]) -> frozenset[Path]:
    return frozenset(Path(value).resolve() for name, value in env.items() if name.endswith("_FILE") and value)


def _content(path: Path) -> str | None:
    """Return the one line of a regular file, or None. A pipe is not waited for."""
    file = os.open(path, _OPENED)
    try:
        raw = os.read(file, LARGEST + 1) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)
    try:
        line = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return None
    return line if len(raw) <= LARGEST and line.strip() and line.isprintable() else None
