"""Times to the second, in the order of logs and of the command line; all of them are UTC."""

from __future__ import annotations

from typing import Final

DATE_FORMAT: Final = "Y-m-d"
DATETIME_FORMAT: Final = "Y-m-d H:i:s"
