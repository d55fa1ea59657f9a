"""The tables of the project itself in Django's admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import User

from mongoclaw_project.access.admin import ApiKeyAdmin
from mongoclaw_project.access.models import ApiKey
from mongoclaw_project.access.user_admin import PeopleAdmin

admin.site.register(ApiKey, ApiKeyAdmin)

admin.site.unregister(User)
admin.site.register(User, PeopleAdmin)
