"""The Django project: settings, Celery app, URLs, health and the command line."""

from __future__ import annotations

__version__ = "2.0.0"
