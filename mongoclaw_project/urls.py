"""The addresses of the web server."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from mongoclaw_project.access.sign_in_page import SignIn
from mongoclaw_project.health import views as health
from mongoclaw_project.metrics.views import Metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="console:page")),
    path("ui/login", SignIn.as_view(), name="login"),
    path("ui/logout", LogoutView.as_view(), name="logout"),
    path("ui/", include("executions_app.console.urls")),
    path("admin/try/", include("executions_app.studio.urls")),
    path("admin/", admin.site.urls),
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("health/detailed", health.detailed),
    path("version", health.version),
    path("metrics", Metrics.as_view()),
    path("", include("mongoclaw_project.openapi")),
    path("api/v1/", include("agents_app.api")),
    path("api/v1/", include("executions_app.api")),
    path("api/v1/", include("executions_app.figures_api")),
    path("api/v1/", include("executions_app.executions_api")),
    path("api/v1/", include("executions_app.dead_letter_api")),
    path("api/v1/", include("executions_app.gap_api")),
    path("api/v1/", include("executions_app.catalog_api")),
    path("api/v1/", include("mongoclaw_project.streams_urls")),
    path("api/v1/", include("executions_app.hold_api")),
    path("api/v1/", include("executions_app.triggers.api")),
    path("api/v1/", include("executions_app.webhooks.api")),
]

handler400 = "mongoclaw_project.problems.bad_request"
handler403 = "mongoclaw_project.problems.forbidden"
handler404 = "mongoclaw_project.problems.not_found"
handler500 = "mongoclaw_project.problems.server_error"
