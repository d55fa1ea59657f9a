"""`mongoclaw info`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import click

from mongoclaw_project import __version__
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import show
from mongoclaw_project.config import Settings, current, current_sources

ADDRESSES: Final = {
    "mongodb": ("mongodb", "uri"),
    "redis": ("redis", "url"),
    "database": ("database", "url"),
    "sandbox": ("ai", "sandbox_url"),
}


@click.command(cls=Command)
def info() -> None:
    """Show what is installed and where it works, and where each address comes from."""
    facts, sources = facts_of(current()), sources_of(current_sources())
    width = max(len(name) for name in facts)
    lines = [f"{name:<{width}}  {value}{_origin(sources.get(name))}" for name, value in facts.items()]
    show({**facts, "sources": sources}, text="\n".join(lines))


def facts_of(settings: Settings) -> dict[str, str]:
    """What `info` shows; addresses without credentials."""
    return {
        "name": "mongoclaw",
        "version": __version__,
        "environment": settings.environment.value,
        "mongodb": place(settings.mongodb.uri),
        "redis": place(settings.redis.url),
        "database": settings.database.url.partition(":")[0] or "none",
        "provider": settings.ai.default_provider,
        "model": settings.ai.default_model,
        "sandbox": settings.ai.sandbox_url or "none",
    }


def sources_of(known: Mapping[tuple[str, ...], str]) -> dict[str, str]:
    """Where the addresses that `info` shows come from: a variable, `mongoclaw dev`, or the default."""
    return {fact: known.get(setting, "default") for fact, setting in ADDRESSES.items()}


def _origin(source: str | None) -> str:
    return f"  (from {source})" if source and source != "default" else ""


def place(url: str) -> str:
    """The hosts and path of an address, without its user, password and options."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path
