"""What the pages of the ledger in the admin have in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from executions_app.paginator import NearPaginator


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Shows rows and lets nobody touch them."""

    show_facets = admin.ShowFacets.NEVER  # they count the whole table, once for each choice of each filter

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  # Django's signature, here and below
        """Nobody adds a row by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nobody changes a row by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nobody deletes a row by hand."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a row, with what its kind adds to the page."""
        row = self.get_object(request, object_id) if object_id else None
        added = {} if row is None else self.context_of(request, row)
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **added})

    def context_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return what the template of a row's page needs beside the row."""
        return {}


class LongListAdmin(ReadOnlyAdmin):
    """Shows tables that nobody counts: a page of them costs the same however long they are."""

    paginator = NearPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
