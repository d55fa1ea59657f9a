"""Where an editor of the admin leads once a text is published, which has been told already in its own words."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse


class BackToTheEditor(admin.ModelAdmin[Any]):
    """Says nothing of its own: Django's words claim that a row was changed, even where a text was published before."""

    def response_add(
        self,
        request: HttpRequest,
        obj: Model,
        post_url_continue: str | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Go to the editor of what is new."""
        return self._editor_of(request, obj)

    def response_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        """Stay in the editor."""
        return self._editor_of(request, obj)

    def _editor_of(self, request: HttpRequest, obj: Model) -> HttpResponse:
        if not self.has_view_or_change_permission(request, obj):
            return HttpResponseRedirect(reverse("admin:index"))
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=(obj.pk,)))
