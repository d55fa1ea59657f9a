"""Reading the settings, once per process."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from pydantic import ValidationError

from agents_app.errors import ConfigurationError
from mongoclaw_project.config.environment import Reading, read
from mongoclaw_project.config.names import PREFIX
from mongoclaw_project.config.running import running_system
from mongoclaw_project.config.settings import Environment, Settings

ENV_FILE_VARIABLE: Final = "MONGOCLAW_ENV_FILE"


class SettingsInvalid(ConfigurationError):
    """The settings are not valid.

    `problems` holds one line for each, beginning with the variable's name; the message is all of them.
    """

    code = "settings_invalid"

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems), problems=problems)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, what their reader should be told about the names used, and where the values came from.

    `sources` names a variable or a running `mongoclaw dev` by group and field; what it lacks is a default.
    """

    settings: Settings
    warnings: tuple[str, ...]
    sources: Mapping[tuple[str, ...], str] = field(default_factory=dict)


def load_settings(environ: Mapping[str, str], *, directory: Path | None = None) -> Settings:
    """The settings that an environment describes.

    Relative paths start at `directory`, or at the working directory.
    Raises SettingsInvalid for all problems at once.
    """
    return load(environ, directory=directory).settings


def load(environ: Mapping[str, str], *, directory: Path | None = None, beside_dev: bool = False) -> Loaded:
    """As `load_settings`, with the warnings and sources.

    With `beside_dev` a development's missing addresses are those of `mongoclaw dev` in the same folder.
    """
    directory = directory or Path.cwd()
    reading = read(environ)
    if beside_dev:
        _add_running(reading, directory)
    try:
        settings = Settings.model_validate(reading.values)
    except ValidationError as error:
        reading.problems.extend(_problems(error, reading))
        raise SettingsInvalid(tuple(reading.problems)) from None
    if reading.problems:
        raise SettingsInvalid(tuple(reading.problems))
    return Loaded(_with_places(settings, directory), tuple(reading.warnings), reading.sources)


def current() -> Settings:
    """The settings of this process, read from `.env` and the environment at the first call."""
    return _current().settings


def current_warnings() -> tuple[str, ...]:
    """What to tell the operator about the names that `current` found."""
    return _current().warnings


def current_sources() -> Mapping[tuple[str, ...], str]:
    """Where the settings of this process came from, as in `Loaded`."""
    return _current().sources


def environment_with_file(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment laid over the `.env` file of the working directory, or over MONGOCLAW_ENV_FILE."""
    path = environ.get(ENV_FILE_VARIABLE, ".env")
    written = dotenv_values(path, interpolate=False) if Path(path).is_file() else {}
    return {name: text for name, text in written.items() if text is not None} | dict(environ)


@functools.cache
def _current() -> Loaded:
    given = frozenset(name.upper() for name in os.environ)
    environ = environment_with_file(os.environ)
    loaded = load(environ, beside_dev=True)
    # Providers' keys in `.env` must reach the libraries and child processes that look for them themselves.
    for name, text in environ.items():
        if not name.upper().startswith(PREFIX):
            os.environ.setdefault(name, text)
    return replace(loaded, sources=_with_file(loaded.sources, given))


def _with_file(sources: Mapping[tuple[str, ...], str], given: frozenset[str]) -> dict[tuple[str, ...], str]:
    """Say of a variable that the environment does not hold that the file does."""
    file = os.environ.get(ENV_FILE_VARIABLE, ".env")
    return {
        place: source if source in given or not source.isupper() else f"{source} in {file}"
        for place, source in sources.items()
    }


def _add_running(reading: Reading, directory: Path) -> None:
    defaults = Settings.model_fields
    environment = reading.values.get("environment", defaults["environment"].default)
    if environment != Environment.DEVELOPMENT:
        return
    state_dir = Path(str(reading.values.get("state_dir", defaults["state_dir"].default)))
    running = running_system(directory / state_dir.expanduser())
    for (group, name), value in running.addresses.items():
        fields = reading.values.setdefault(group, {})
        if isinstance(fields, dict) and name not in fields:
            fields[name] = value
            reading.sources[(group, name)] = running.source


def _problems(error: ValidationError, reading: Reading) -> list[str]:
    lines = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        place = tuple(str(part) for part in detail["loc"][:2])
        source = reading.sources.get(place, f"{PREFIX}{'__'.join(place)}".upper())
        message = detail["msg"].removeprefix("Value error, ")
        # What several settings of a group are together, its check says of the variable that it names first.
        told = message if message.startswith(PREFIX) else f"{source}: {message[:1].lower()}{message[1:]}"
        lines.append(told)
    return lines


def _with_places(settings: Settings, directory: Path) -> Settings:
    """Make the state directory absolute and give development its SQLite file."""
    state_dir = directory / settings.state_dir.expanduser()
    changes: dict[str, object] = {"state_dir": state_dir}
    if settings.is_development and not settings.database.url:
        url = f"sqlite:///{state_dir / 'mongoclaw.sqlite3'}"
        changes["database"] = settings.database.model_copy(update={"url": url})
    return settings.model_copy(update=changes)
