"""Making a command's process ready for Django."""

from __future__ import annotations

import os


def set_up_django(*, refuse: bool = True) -> None:
    """Configure Django once, with logs on stderr so that stdout holds the result alone.

    Raises SettingsInvalid for dangerous settings and for a database file that cannot be; without `refuse`
    they stop nobody, so that a doctor can look at all the rest.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        from mongoclaw_project.config import current
        from mongoclaw_project.logs import configure_for_terminal
        from mongoclaw_project.places import prepare_places
        from mongoclaw_project.starting import refuse_danger

        settings = current()
        if refuse:
            refuse_danger(settings)
        prepare_places(settings, with_database=refuse)
        configure_for_terminal()
        django.setup()
