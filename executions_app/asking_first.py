"""The page that asks before an admin action is carried out."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.template.response import TemplateResponse

SHOWN: Final = 20


def asking(
    of: admin.ModelAdmin[Any], request: HttpRequest, template: str, **context: object
) -> TemplateResponse:
    """Show the question; the same rows stay selected for the answer. `template` is below `admin/executions_app`."""
    selected = {
        "select_across": request.POST.get("select_across") == "1",
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    whole = {**of.admin_site.each_context(request), "opts": of.opts, **context, **selected}
    return TemplateResponse(request, f"admin/executions_app/{template}", whole)
