"""The format of messages: who sends and who receives may be of different releases while a fleet is brought up to date.

A message says its format in a header. A new format is one that a worker of the release before cannot run; a header
or an argument more that it may leave out is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FORMAT_HEADER: Final = "mongoclaw_format"

AHEAD_HEADER: Final = "mongoclaw_ahead"
"""Says of a message that it goes before those that wait in its queue. Only Redis has such a place."""

FORMAT: Final = 1
"""One argument: the id of the execution. Messages without the header, from before there was one, are alike."""


def is_newer(headers: Mapping[str, Any]) -> bool:
    """Tell whether a message is of a format that this release does not know. One that is no number is."""
    written = headers.get(FORMAT_HEADER, FORMAT)
    return not isinstance(written, int) or written > FORMAT
