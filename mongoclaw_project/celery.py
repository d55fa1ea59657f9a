"""The Celery app: `celery -A mongoclaw_project worker`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")

from mongoclaw_project.celery_settings import celery_settings  # noqa: E402  # Django's name must be set before
from mongoclaw_project.config import current  # noqa: E402

app = Celery("mongoclaw", set_as_current=True)
app.conf.update(celery_settings(current()))
app.set_default()
