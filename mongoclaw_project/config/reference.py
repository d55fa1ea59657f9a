"""The settings reference, written from the settings: `python -m mongoclaw_project.config.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mongoclaw_project.config.names import RENAMED, SettingName, setting_names
from mongoclaw_project.config.settings import Settings

_LEAD: Final = """\
# Settings

<!-- Written by `make docs` from the settings themselves; a test compares. -->

Settings come from the environment and from a `.env` file in the working directory (or from the file that
`MONGOCLAW_ENV_FILE` names); the environment wins. `mongoclaw config` shows those in force, secrets masked.

- Names match in any case. A name that begins with `MONGOCLAW_` and is none of these is an error.
- A list is comma text (`a,b`) or JSON (`["a","b"]`).
- Any value may stand in a file instead: `MONGOCLAW_SECURITY__SECRET_KEY_FILE=/run/secrets/key`.
- An empty value is the same as none; for a list it is the empty list.
- Settings of a group are also found without the prefix (`MONGODB_URI`, `REDIS_URL`), and, with a warning,
  with a single underscore (`MONGOCLAW_MONGODB_URI`).
- Other names in `.env`, such as `OPENAI_API_KEY`, reach the libraries that look for them.

Settings marked *accepted* are those of MongoClaw 1.0.4 that have no effect here: they are read and checked,
so that an environment can be kept as it is.
"""


def reference() -> str:
    """The whole reference as Markdown."""
    names = list(setting_names())
    parts = [_LEAD, _section("General", "", [name for name in names if name.group is None])]
    for group in dict.fromkeys(name.group for name in names if name.group is not None):
        model = Settings.model_fields[group].annotation
        summary = (
            (model.__doc__ or "").strip() if isinstance(model, type) and issubclass(model, BaseModel) else ""
        )
        parts.append(_section(group, summary, [name for name in names if name.group == group]))
    parts.append(_renamed())
    return "\n".join(parts)


def _section(title: str, summary: str, names: list[SettingName]) -> str:
    lines = [f"## {title}", ""]
    if summary:
        lines += [summary, ""]
    lines += ["| name | default | meaning |", "|---|---|---|"]
    lines += [_row(name) for name in names if not name.is_accepted_only]
    lines += [_row(name) for name in names if name.is_accepted_only]
    return "\n".join([*lines, ""])


def _row(name: SettingName) -> str:
    meaning = (name.info.description or "").replace("|", "\\|")
    choices = " ".join(_constraints(name))
    accepted = "*accepted* " if name.is_accepted_only else ""
    return (
        f"| `{name.canonical}` | {_default(name)} | {accepted}{meaning}{' ' + choices if choices else ''} |"
    )


def _default(name: SettingName) -> str:
    value = name.info.default
    if value is None or value is PydanticUndefined or value in ("", ()):
        return "none"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, Path):
        value = str(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _constraints(name: SettingName) -> Iterator[str]:
    kind = name.info.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield "One of " + ", ".join(f"`{member.value}`" for member in kind) + "."
    bounds = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(rule, bound):g}"
        for rule in name.info.metadata
        for bound, sign in bounds.items()
        if isinstance(getattr(rule, bound, None), (int, float))
    ]
    if limits:
        yield f"({', '.join(limits)})"


def _renamed() -> str:
    lines = [
        "## Old names",
        "",
        "Names in the manifests of MongoClaw 1.0.4; they work, with a warning.",
        "",
        "| old name | write |",
        "|---|---|",
        *(f"| `{old}` | `{new}` |" for old, new in RENAMED.items()),
        "| `MONGOCLAW_GROUP_NAME` | `MONGOCLAW_GROUP__NAME` |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
