"""Gunicorn's logs as lines of ours."""

from __future__ import annotations

from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from mongoclaw_project.config import current
from mongoclaw_project.logs import configure


class GunicornLogger(Logger):
    """Hands gunicorn's lines to our handler; requests are logged by our own middleware."""

    def setup(self, cfg: Config) -> None:
        """Configure our logs instead of gunicorn's."""
        self.cfg = cfg
        configure(current())
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel("NOTSET")
        self.access_log.disabled = True

    def access(self, *_: Any, **__: Any) -> None:
        """Log nothing: `mongoclaw_project.middleware` does."""
