"""`mongoclaw info`."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from mongoclaw_project import __version__
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import show
from mongoclaw_project.config import Settings, current


@click.command(cls=Command)
def info() -> None:
    """Show what is installed and where it works."""
    facts = facts_of(current())
    width = max(len(name) for name in facts)
    show(
        facts, text="\n".join(f"{name.replace('_', ' '):<{width}}  {value}" for name, value in facts.items())
    )


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


def place(url: str) -> str:
    """The hosts and path of an address, without its user, password and options."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + parts.path
