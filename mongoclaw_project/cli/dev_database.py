"""`python -m mongoclaw_project.cli.dev_database USERNAME`: tables and an administrator for a local system.

The password comes in DJANGO_SUPERUSER_PASSWORD. A user of that name who is there already keeps his password.
"""

from __future__ import annotations

import os
import sys

from agents_app.errors import MongoClawError
from mongoclaw_project.cli.bootstrap import set_up_django


def main(username: str, password: str) -> int:
    """Does it; one line on stderr and exit code 1 if it fails."""
    from django.db import DatabaseError

    try:
        set_up_django()
        _prepare(username, password)
    except (MongoClawError, DatabaseError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 1
    return 0


def _prepare(username: str, password: str) -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    users = get_user_model().objects
    if not users.filter(username=username).exists():
        users.create_superuser(username, password=password)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ["DJANGO_SUPERUSER_PASSWORD"]))
