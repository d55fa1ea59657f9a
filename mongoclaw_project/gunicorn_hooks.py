"""What gunicorn does for several web processes that count together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import MutableMapping
from typing import Any

from executions_app.metrics.info import SHARED_DIRECTORY


def count_together(environ: MutableMapping[str, str]) -> None:
    """Give the processes that begin with this environment a directory for their counts, and no others."""
    environ[SHARED_DIRECTORY] = tempfile.mkdtemp(prefix="mongoclaw-metrics-")


def on_exit(server: Any) -> None:  # noqa: ARG001  # gunicorn's signature
    """Take the directory away."""
    shutil.rmtree(os.environ[SHARED_DIRECTORY], ignore_errors=True)
