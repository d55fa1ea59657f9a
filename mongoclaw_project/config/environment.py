"""From an environment's texts to the values of settings, with every problem at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mongoclaw_project.config.names import (
    FILE_SUFFIX,
    PREFIX,
    RENAMED,
    SettingName,
    is_foreign,
    setting_names,
    suggestion,
)


@dataclass(slots=True)
class Reading:
    """What was found: values by group and field, the variable each came from, problems and warnings."""

    values: dict[str, object] = field(default_factory=dict)
    sources: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(environ: Mapping[str, str]) -> Reading:
    """Look up every setting, and refuse names with our prefix that are none.

    Names match in any case. The documented name wins over one with a single underscore,
    and that over the bare one. An empty text means that the variable is not set, except for
    lists, where it is the empty list.
    """
    reading = Reading()
    upper = {name.upper(): value for name, value in environ.items()}
    used: set[str] = set()
    for name in setting_names():
        _read_one(name, upper, reading, used)
    _refuse_unknown(upper, used, reading)
    return reading


def _read_one(name: SettingName, environ: Mapping[str, str], reading: Reading, used: set[str]) -> None:
    candidates = _candidates(name)
    used.update(candidates)
    used.add(name.canonical + FILE_SUFFIX)
    found = [variable for variable in candidates if _is_given(name, environ, variable)]
    text: str | None = None
    source = found[0] if found else name.canonical
    if environ.get(name.canonical + FILE_SUFFIX):
        source = name.canonical + FILE_SUFFIX
        text = _from_file(name, environ, reading, also_given=name.canonical in found)
    elif found:
        text = environ[source]
    _warn_of_old_names(name, found, reading)
    if text is not None:
        _store(name, source, text, reading)


def _candidates(name: SettingName) -> list[str]:
    renamed = [old for old, new in RENAMED.items() if new == name.canonical]
    return [
        variable
        for variable in (name.canonical, name.single_underscore, *renamed, name.bare)
        if variable is not None
    ]


def _is_given(name: SettingName, environ: Mapping[str, str], variable: str) -> bool:
    text = environ.get(variable)
    if text is None or (variable != name.canonical and is_foreign(variable, text)):
        return False
    return bool(text.strip()) or (name.is_list and variable.startswith(PREFIX))


def _from_file(
    name: SettingName, environ: Mapping[str, str], reading: Reading, *, also_given: bool
) -> str | None:
    variable = name.canonical + FILE_SUFFIX
    if also_given:
        reading.problems.append(f"{variable}: {name.canonical} is given too; keep one of them")
        return None
    try:
        return Path(environ[variable]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        reading.problems.append(f"{variable}: cannot read {environ[variable]} ({reason})")
        return None


def _warn_of_old_names(name: SettingName, found: list[str], reading: Reading) -> None:
    reading.warnings.extend(
        f"{variable}: write {name.canonical} instead"
        for variable in found
        if variable.startswith(PREFIX) and variable != name.canonical
    )


def _store(name: SettingName, source: str, text: str, reading: Reading) -> None:
    try:
        value: object = _items(text) if name.is_list else text.strip()
    except ValueError as error:
        reading.problems.append(f"{source}: {error}")
        return
    if name.field == "log_level":
        value = text.strip().upper()
    if name.group is None:
        reading.values[name.field] = value
        reading.sources[(name.field,)] = source
        return
    group = reading.values.setdefault(name.group, {})
    if isinstance(group, dict):
        group[name.field] = value
    reading.sources[(name.group, name.field)] = source


def _items(text: str) -> tuple[str, ...]:
    if not text.lstrip().startswith("["):
        return tuple(item.strip() for item in text.split(",") if item.strip())
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not a JSON list ({error.msg} at character {error.pos + 1})") from error
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of texts")
    return tuple(items)


def _refuse_unknown(environ: Mapping[str, str], used: set[str], reading: Reading) -> None:
    known = tuple(name.canonical for name in setting_names())
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in used or is_foreign(variable, text):
            continue
        meant = suggestion(variable, known)
        remedy = f"did you mean {meant}?" if meant else "`mongoclaw config --format env` lists all names"
        reading.problems.append(f"{variable}: there is no such setting; {remedy}")
