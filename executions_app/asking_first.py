"""The page that asks before an admin action is carried out."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

SHOWN: Final = 20
"""Rows that the page names; of the others it says how many there are."""


def asking(
    of: admin.ModelAdmin[Any],
    request: HttpRequest,
    template: str = "confirm.html",
    *,
    rows: QuerySet[Any],
    count: int,
    **context: object,
) -> TemplateResponse:
    """Show the question, and the first of the rows, of which `count` are meant; they stay selected for the answer.

    `template` is below `admin/executions_app` and extends `confirm.html`, which needs `title`, `consequence`, `action`
    and the text of the `button`.
    """
    selected = {
        "rows": rows[:SHOWN],
        "count": count,
        "not_shown": count - SHOWN,
        "select_across": request.POST.get("select_across") == "1",
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    whole = {**of.admin_site.each_context(request), "opts": of.opts, **context, **selected}
    return TemplateResponse(request, f"admin/executions_app/{template}", whole)
