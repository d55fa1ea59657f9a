"""Backfills in Django's admin: asked for, followed and steered by those who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents_app.errors import MongoClawError, SpecInvalid
from agents_app.models import Agent
from executions_app import backfill_transitions, backfills
from executions_app.admin_filters import OfAgent
from executions_app.asking_first import asking
from executions_app.backfill_transitions import FROM
from executions_app.backfills import Progress, Wish, progress_of
from executions_app.models import Backfill, BackfillStatus
from executions_app.read_only_admin import ReadOnlyAdmin

SHOWN_ID: Final = 8


class BackfillForm(forms.ModelForm[Backfill]):
    """What is asked for."""

    agent = forms.ModelChoiceField(
        Agent.objects.filter(archived_at=None, enabled=True, current_version__isnull=False).order_by("id")
    )
    filter = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text="Only documents that match this query too; Extended JSON. Empty for all.",
    )
    limit = forms.IntegerField(required=False, min_value=1, help_text="At most so many documents.")
    rate = forms.FloatField(required=False, help_text="At most so many documents a second.")
    wish: Wish

    class Meta:
        """The fields that people fill in."""

        model = Backfill
        fields: ClassVar = ["agent", "filter", "limit", "rate"]

    def clean(self) -> dict[str, Any]:
        """Check it as the command line does."""
        data = super().clean() or {}
        agent = data.get("agent")
        if agent is None or self.errors:
            return data
        try:
            query = backfills.read_filter(data.get("filter") or "")
            self.wish = backfills.wish(
                agent.pk, filter_=query, limit=data.get("limit"), rate=data.get("rate")
            )
            backfills.refuse_idle(agent.pk)
        except SpecInvalid as error:
            for problem in error.errors:
                self.add_error(problem.path.partition(".")[0], str(problem))
        except MongoClawError as error:
            self.add_error("agent", str(error))
        return data


class BackfillAdmin(ReadOnlyAdmin):
    """Backfills: how far they are, and what may be done about them."""

    form = BackfillForm
    list_display = ("short_id", "status_and_wait", "agent_id", "progress", "counts", "created_at", "origin")
    list_filter = ("status", OfAgent)
    list_select_related = ("agent",)
    search_fields = ("id__startswith", "agent__id")
    search_help_text = "The beginning of a backfill's id, or an agent."
    ordering = ("-created_at",)
    sortable_by = ("created_at",)
    list_per_page = 50
    actions = ("pause", "resume", "cancel")
    change_form_template = "admin/executions_app/backfill/backfill.html"
    _shown = (
        "id",
        "status_and_wait",
        "agent_id",
        "progress",
        "counts",
        "filter",
        "limit",
        "rate",
        "origin",
        "error",
        "created_at",
        "started_at",
        "ended_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the user may ask for a backfill."""
        return bool(request.user.has_perm("executions_app.add_backfill"))

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Whether the user may pause, resume and cancel."""
        return bool(request.user.has_perm("executions_app.change_backfill"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002  # Django's signature
        """Ask for the wish, then show everything."""
        return BackfillForm.Meta.fields if obj is None else self._shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002
        """Nothing of a backfill is edited."""
        return () if obj is None else self._shown

    def save_model(self, request: HttpRequest, obj: Backfill, form: Any, change: bool) -> None:  # noqa: ARG002
        """Plan what was asked for."""
        planned = backfills.ask(form.wish, by=request.user.get_username(), now=datetime.now(UTC))
        obj.pk = planned.pk
        obj.refresh_from_db()

    def context_of(self, request: HttpRequest, row: Backfill) -> dict[str, Any]:
        """Offer what may be done."""
        if not self.has_steer_permission(request):
            return {}
        return {
            "may_pause": row.status in FROM[BackfillStatus.PAUSED],
            "may_resume": row.status == BackfillStatus.PAUSED,
            "may_cancel": row.status in FROM[BackfillStatus.CANCELLED],
        }

    @admin.action(description="Pause", permissions=["steer"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Backfill]) -> None:
        """Read no further until it is resumed."""
        by = request.user.get_username()
        self._move(request, queryset, "Paused", lambda id_: backfill_transitions.pause(id_, by=by))

    @admin.action(description="Resume", permissions=["steer"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Backfill]) -> None:
        """Go on."""
        by = request.user.get_username()
        self._move(request, queryset, "Resumed", lambda id_: backfill_transitions.resume(id_, by=by))

    @admin.action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Backfill]) -> HttpResponse | None:
        """End it for good, after asking."""
        if request.POST.get("confirmed") != "yes":
            return self._ask(request, queryset)
        by, now = request.user.get_username(), datetime.now(UTC)
        self._move(
            request, queryset, "Cancelled", lambda id_: backfill_transitions.cancel(id_, by=by, now=now)
        )
        return None

    @admin.display(description="backfill", ordering="created_at")
    def short_id(self, row: Backfill) -> SafeString:
        """The first characters of the id; all of it on hovering."""
        return format_html('<span title="{}"><code>{}</code></span>', row.pk, row.pk[:SHOWN_ID])

    @admin.display(description="status")
    def status_and_wait(self, row: Backfill) -> SafeString:
        """The status, and what it waits for or failed of."""
        waits = backfills.waits_for(row, row.agent)
        remark = row.error or (f"waits for {waits}" if waits else "")
        return format_html('{}<br><span class="mc-quiet">{}</span>', row.status, remark)

    @admin.display(description="progress")
    def progress(self, row: Backfill) -> SafeString | str:
        """How much of it is done, by the estimate."""
        share = self._sums(row).share(row)
        if share is None:
            return "not known yet"
        return format_html(
            '<progress max="100" value="{}"></progress> {}', round(share * 100), f"{share:.0%}"
        )

    @admin.display(description="documents")
    def counts(self, row: Backfill) -> SafeString:
        """How many were read, and what became of them."""
        sums = self._sums(row)
        markup = '{} read<br><span class="mc-quiet">{} on record, {} up to date</span>'
        return format_html(markup, f"{sums.read:,}", f"{sums.recorded:,}", f"{sums.current:,}")

    def _sums(self, row: Backfill) -> Progress:
        # Both columns ask; a page has fifty rows, and the ranges of each are a few indexed ones.
        found: Progress | None = getattr(row, "sums", None)
        if found is None:
            found = row.sums = progress_of([row.pk])[row.pk]  # type: ignore[attr-defined]
        return found

    def _move(
        self,
        request: HttpRequest,
        queryset: QuerySet[Backfill],
        word: str,
        move: Callable[[str], Backfill],
    ) -> None:
        moved = 0
        for row in queryset:
            try:
                move(row.pk)
            except MongoClawError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                moved += 1
                self.log_change(request, row, f"{word}.")
        if moved:
            self.message_user(request, f"{word}: {moved}.", messages.SUCCESS)

    def _ask(self, request: HttpRequest, queryset: QuerySet[Backfill]) -> HttpResponse:
        return asking(
            self,
            request,
            "backfill/cancel.html",
            title="Cancel backfills?",
            rows=queryset,
            count=queryset.count(),
            action="cancel",
            button="Cancel the backfills",
        )
