"""The addresses of the console, below `/ui/`."""

from __future__ import annotations

from django.urls import path

from executions_app.console import actions, views

app_name = "console"

urlpatterns = [
    path("", views.page, name="page"),
    path("panels/<slug:name>", views.panel, name="panel"),
    path("runs/<slug:execution_id>", views.run, name="run"),
    path("actions/<slug:name>", actions.action, name="action"),
]
