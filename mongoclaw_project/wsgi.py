"""The web server's entry: `gunicorn mongoclaw_project.wsgi`."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402  # Django's name must be set before

application = get_wsgi_application()
