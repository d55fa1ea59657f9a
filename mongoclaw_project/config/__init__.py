"""Typed, frozen settings: `current()` is the one that this process runs with."""

from __future__ import annotations

from mongoclaw_project.config.loading import (
    Loaded,
    SettingsInvalid,
    current,
    current_sources,
    current_warnings,
    environment_with_file,
    load,
    load_settings,
)
from mongoclaw_project.config.settings import Environment, Settings
from mongoclaw_project.config.work import RoutingStrategy

__all__ = [
    "Environment",
    "Loaded",
    "RoutingStrategy",
    "Settings",
    "SettingsInvalid",
    "current",
    "current_sources",
    "current_warnings",
    "environment_with_file",
    "load",
    "load_settings",
]
