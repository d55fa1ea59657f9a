"""Django system checks: `manage.py check` and every management command say what is dangerous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  # the name is Django's

from mongoclaw_project.config import current, current_warnings
from mongoclaw_project.safety import dangers


@register("mongoclaw")
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Report dangerous combinations of settings, and names that have been renamed."""
    messages: list[CheckMessage] = []
    for danger in dangers(current()):
        kind = Error if danger.is_error else Warning
        messages.append(kind(danger.message, hint=danger.hint, id=f"mongoclaw.{danger.id}"))
    messages += [Warning(warning, id="mongoclaw.W100") for warning in current_warnings()]
    return messages
