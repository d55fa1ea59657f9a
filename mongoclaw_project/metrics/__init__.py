"""The web server's `/metrics`: its own requests, and the whole fleet."""

from __future__ import annotations
