"""The command line: `mongoclaw`."""

from __future__ import annotations
