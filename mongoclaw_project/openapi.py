"""The addresses of the OpenAPI document and of its page for people. They are open, as the contract has it."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularJSONAPIView, SpectacularSwaggerSplitView

from mongoclaw_project import api_schema  # noqa: F401  # importing registers how shapes are told

urlpatterns = [
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("api/v1/schema", SpectacularAPIView.as_view()),
    # Its script is an address of its own, so that the page needs no permission for scripts within it.
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi")),
]
