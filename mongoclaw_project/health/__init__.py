"""Whether the servers behind this process answer."""

from __future__ import annotations
