"""The addresses of the studio, beside those of the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from executions_app.studio.preview_view import preview_policy
from executions_app.studio.trial_view import try_agent

urlpatterns = [
    path("agent/", admin.site.admin_view(try_agent), name="try-agent"),
    path("policy/", admin.site.admin_view(preview_policy), name="preview-policy"),
]
