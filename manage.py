#!/usr/bin/env python
"""Django's command line for the MongoClaw project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run one of Django's management commands."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    from django.core.management import execute_from_command_line

    from mongoclaw_project.starting import settings_or_exit

    settings_or_exit(refuse=False)  # Django's own checks refuse what is dangerous
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
