"""What the admin's editors of texts that are published have in common: agents, and shared policies."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse


class PublishedTextAdmin(admin.ModelAdmin[Any]):
    """Rows that are not archived, each with its text in an editor for those who may change it.

    Publishing is told in our words alone: Django's claim that a row was changed, even where nothing has.
    """

    editor: ClassVar = ("specification", "seen_revision", "reviewed")
    text: ClassVar[str]
    """The field that shows the text to those who may only look."""
    state: ClassVar[tuple[str, dict[str, Any]]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out what is archived."""
        return super().get_queryset(request).filter(archived_at=None)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Show the text as an editor to those who may change it, as text to others."""
        if obj is None:
            return [(None, {"fields": self.editor})]
        if self.has_change_permission(request, obj):
            return [(None, {"fields": self.editor}), self.state]
        return [(None, {"fields": (self.text,)}), self.state]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002
        """Name the rows only: archiving takes nothing else along."""
        return [str(row) for row in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    @admin.display(description="version", ordering="current_version__number")
    def version(self, row: Any) -> int | None:
        """The number of the current version."""
        return row.current_version.number if row.current_version else None

    def tell_published(self, request: HttpRequest, number: int, *, created: bool) -> None:
        """Say which version is current now."""
        news = "published" if created else "is current; its content had been published before"
        self.message_user(request, f"Version {number} {news}.", messages.INFO)

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
