"""Who uses the command line, for what is put on record."""

from __future__ import annotations

import getpass


def somebody() -> str:
    """The user of this process, as `cli:name`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user need not have a name
        return "cli"
