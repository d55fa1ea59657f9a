"""Writes the reference pages from the code: `make docs`."""

from __future__ import annotations
