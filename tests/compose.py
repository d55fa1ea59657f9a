"""docker-compose.yml as Compose reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
VARIABLE: Final = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<kind>:[-?])?(?P<rest>[^}]*)\}")
SECRETS: Final[Mapping[str, str]] = {
    "MONGOCLAW_SECURITY__SECRET_KEY": "s" * 40,
    "MONGOCLAW_SECURITY__API_KEYS": "k" * 40,
    "MONGO_PASSWORD": "m" * 40,
    "MONGO_REPLICA_KEY": "r" * 40,
    "VALKEY_PASSWORD": "v" * 40,
    "POSTGRES_PASSWORD": "p" * 40,
    "FLOWER_AUTH": "flower:" + "f" * 40,
    "PROMETHEUS_PASSWORD": "q" * 40,
    "GRAFANA_PASSWORD": "g" * 40,
}
OURS: Final = ("migrate", "web", "watcher", "worker", "flower")
STORES: Final = ("mongo", "valkey", "postgres")
MONITORS: Final = ("prometheus-users", "prometheus", "grafana")
END_BY_THEMSELVES: Final = ("migrate", "prometheus-users")


def text() -> str:
    """The file."""
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def example() -> dict[str, str]:
    """The example of its environment."""
    lines = (ROOT / "deploy/compose.env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def interpolated(environ: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables in place; a required variable that is missing raises KeyError."""

    def value(match: re.Match[str]) -> str:
        if match["kind"] == ":?":
            return environ[match["name"]]
        return environ.get(match["name"]) or match["rest"]

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: walk(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        return VARIABLE.sub(value, node).replace("$$", "$") if isinstance(node, str) else node

    return dict(walk(yaml.safe_load(text())))
