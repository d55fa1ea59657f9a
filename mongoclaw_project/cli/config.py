"""`mongoclaw config`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import click

from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import show, to_json, wants_json
from mongoclaw_project.config import Settings, current
from mongoclaw_project.config.names import SettingName, setting_names
from mongoclaw_project.scrubbing import MASK, scrub_text


@click.command(cls=Command)
@click.option(
    "--format", "shape", type=click.Choice(["yaml", "json", "env"]), default="yaml", show_default=True
)
def config(shape: str) -> None:
    """Show the settings; secrets are masked.

    The `env` form prints the names that the environment may hold.
    """
    settings = current()
    values = masked(settings)
    if wants_json() or shape == "json":
        click.echo(to_json(values))
    elif shape == "env":
        click.echo("\n".join(as_environment(settings)))
    else:
        show(values, text=_yaml(values))


def masked(settings: Settings) -> dict[str, Any]:
    """All settings as plain data, with secrets masked: a URL keeps its place, a key nothing."""
    values: dict[str, Any] = {}
    for name in setting_names():
        shown = shown_value(name, settings)
        if name.group is None:
            values[name.field] = shown
        else:
            values.setdefault(name.group, {})[name.field] = shown
    return values


def as_environment(settings: Settings) -> Iterator[str]:
    """The settings as lines of an environment file."""
    for name in setting_names():
        value = shown_value(name, settings)
        if value is None:
            yield f"# {name.canonical}="
        else:
            yield f"{name.canonical}={_as_text(value)}"


def shown_value(name: SettingName, settings: Settings) -> Any:
    """One setting's value as plain data, masked if it is a secret."""
    group = settings if name.group is None else getattr(settings, name.group)
    value = group.model_dump(mode="json", include={name.field})[name.field]
    if not name.is_secret or not value:
        return value
    if isinstance(value, list):
        return [MASK] * len(value)
    if value.startswith(("http://", "https://")):
        address = urlsplit(value)  # whoever knows the path of an incoming webhook can post to it
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}/{MASK}"
    return scrub_text(value) if "://" in value else MASK


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _yaml(values: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True)).rstrip()
