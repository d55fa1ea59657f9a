"""Making a command's process ready for Django."""

from __future__ import annotations

import os


def set_up_django() -> None:
    """Configure Django once, with logs on stderr so that stdout holds the result alone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        from mongoclaw_project.config import current
        from mongoclaw_project.logs import configure_for_terminal
        from mongoclaw_project.starting import refuse_danger

        refuse_danger(current())
        configure_for_terminal()
        django.setup()
