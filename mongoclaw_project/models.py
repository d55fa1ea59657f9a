"""The tables of the project itself."""

from __future__ import annotations

from mongoclaw_project.access.models import ApiKey

__all__ = ["ApiKey"]
