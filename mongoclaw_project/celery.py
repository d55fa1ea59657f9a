"""The Celery app: `celery -A mongoclaw_project worker`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")

from mongoclaw_project.celery_amqp import OwnAMQP
from mongoclaw_project.celery_settings import celery_settings
from mongoclaw_project.logs import configure
from mongoclaw_project.redis_transport import install
from mongoclaw_project.starting import settings_or_exit

_settings = settings_or_exit()
install()

app = Celery("mongoclaw", set_as_current=True, amqp=OwnAMQP)
app.conf.update(celery_settings(_settings))
app.set_default()


@setup_logging.connect
def _log_as_we_do(**_: Any) -> None:
    """Take the place of Celery's own logging."""
    configure(_settings)
