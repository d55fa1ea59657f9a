"""Whether servers answer, processes live and streams are read."""

from __future__ import annotations
