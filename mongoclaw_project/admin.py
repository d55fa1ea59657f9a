"""The tables of the project itself in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from mongoclaw_project.access.admin import ApiKeyAdmin
from mongoclaw_project.access.models import ApiKey

admin.site.register(ApiKey, ApiKeyAdmin)
