"""The web server's entry: `gunicorn mongoclaw_project.wsgi`."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from mongoclaw_project.databases import serve_requests
from mongoclaw_project.starting import settings_or_exit

settings_or_exit()
application = get_wsgi_application()
serve_requests(settings.DATABASES["default"])
