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

__all__ = [
    "Environment",
    "Loaded",
    "Settings",
    "SettingsInvalid",
    "current",
    "current_sources",
    "current_warnings",
    "environment_with_file",
    "load",
    "load_settings",
]
