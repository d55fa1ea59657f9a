"""What every long-running process does first."""

from __future__ import annotations

from mongoclaw_project.config import Settings, SettingsInvalid, current
from mongoclaw_project.places import prepare_places
from mongoclaw_project.safety import dangers


def refuse_danger(settings: Settings) -> None:
    """Stop a process with dangerous settings. Raises SettingsInvalid with one line for each danger."""
    errors = [danger for danger in dangers(settings) if danger.is_error]
    if errors:
        raise SettingsInvalid(
            tuple(f"mongoclaw.{danger.id}: {danger.message}; {danger.hint}" for danger in errors)
        )


def settings_or_exit(*, refuse: bool = True) -> Settings:
    """The process's settings; wrong or dangerous ones end it with a line each, code 1 and no traceback.

    For modules that Celery, gunicorn or Django import first: of any other error they show a traceback.
    """
    try:
        settings = current()
        if refuse:
            refuse_danger(settings)
        prepare_places(settings)
    except SettingsInvalid as error:
        raise SystemExit("\n".join(f"✗ {line}" for line in error.problems)) from None
    return settings
