"""The address at which an editor asks what is wrong with its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from agents_app.checking import Checked


def check_view(
    of: admin.ModelAdmin[Any], check: Callable[[str], Checked[Any]]
) -> Callable[..., HttpResponse]:
    """Return a view for those who may add or change what the text describes. Nothing is written."""

    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        if not (of.has_add_permission(request) or of.has_change_permission(request)):
            raise PermissionDenied
        return JsonResponse(check(request.POST.get("text", "")).as_json())

    return of.admin_site.admin_view(view)
