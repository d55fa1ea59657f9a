"""Django's entry for agents."""

from __future__ import annotations

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents and their versions."""

    name = "agents_app"
    verbose_name = "Agents"
