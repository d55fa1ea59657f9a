"""Who is let into the admin: whoever may see or do anything there. `is_staff` decides nothing (ADR 0028)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse


class AdminSite(admin.AdminSite):
    """Django's admin behind the page of its own server where people sign in."""

    site_url = None  # there is no other site to view
    enable_nav_sidebar = False  # its links are in the header, and its width is the tables'

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the user has any permission for what is registered here; each page asks for its own besides."""
        apps = {model._meta.app_label for model in self._registry}  # noqa: SLF001  # Django documents it
        return any(request.user.has_module_perms(app) for app in apps)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """Send to the page to sign in; who is signed in and may do nothing, to the console, which says so."""
        if request.user.is_authenticated and not self.has_permission(request):
            return redirect("console:page")
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        return redirect_to_login(wanted)
