"""Gaps in Django's admin: read by many, closed by those who may decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents_app.errors import MongoClawError
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.admin_filters import OfAgent
from executions_app.asking_first import asking
from executions_app.identity import unpack_time
from executions_app.models import GapKind, GapStatus, StreamGap
from executions_app.read_only_admin import ReadOnlyAdmin

SHOWN_ID: Final = 8
QUESTIONS: Final = {
    "close": (
        "Leave the selected gaps as they are?",
        "Nothing is worked through: what the agents have not seen stays unseen. Agents that were held go on.",
        "Close the gaps",
    ),
    "backfill": (
        "Work through what the agents have not seen?",
        (
            "Each agent's documents are gone through again, behind live changes; what is up to date costs no call "
            "of a model, all else may cost money. Agents that were held go on at once. The gaps close when that "
            "is done."
        ),
        "Start the backfills",
    ),
}


class StatusFilter(admin.SimpleListFilter):
    """Open ones first: a gap that is settled is history."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """All statuses."""
        return [(status.value, status.value) for status in GapStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep the gaps of the chosen status."""
        return queryset.filter(status=self.value()) if self.value() else queryset


class StreamGapAdmin(ReadOnlyAdmin):
    """Gaps: what agents have not seen, and what was decided about it."""

    list_display = ("short_id", "status_and_policy", "agent_link", "place", "kind", "unseen", "detected_at")
    list_filter = (StatusFilter, OfAgent, "kind", "policy")
    search_fields = ("id__startswith", "agent__id", "database", "collection")
    search_help_text = "The beginning of a gap's id, an agent, a database or a collection."
    ordering = ("-detected_at",)
    sortable_by = ("detected_at",)
    list_per_page = 50
    actions = ("close", "backfill")
    change_form_template = "admin/executions_app/decide.html"
    fields = (
        "id",
        "status_and_effect",
        "agent_link",
        "place",
        "kind_and_code",
        "detail",
        "unseen",
        "detected_at",
        "backfill_link",
        "closing",
    )

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Whether the user may decide about gaps."""
        return bool(request.user.has_perm("executions_app.change_streamgap"))

    def context_of(self, request: HttpRequest, row: StreamGap) -> dict[str, Any]:
        """Offer to decide about a gap that is open."""
        may = self.has_settle_permission(request)
        offered = [("backfill", "Backfill…")] if row.status == GapStatus.OPEN else []
        offered += [("close", "Leave out…")] if row.status != GapStatus.CLOSED else []
        return {
            "decisions": offered if may else [],
            "subtitle": None,
            "title": f"What {row.agent_id} has not seen",
        }

    @admin.action(description="Close: leave out what was not seen", permissions=["settle"])
    def close(self, request: HttpRequest, queryset: QuerySet[StreamGap]) -> HttpResponse | None:
        """Close gaps, after asking."""
        unsettled = queryset.exclude(status=GapStatus.CLOSED)

        def settle(gap_id: str, by: str) -> StreamGap:
            return gaps.close(gap_id, by=by, resolution="left out", now=datetime.now(UTC))

        return self._settle(request, unsettled, "close", settle, "Closed")

    @admin.action(description="Backfill: work through what was not seen", permissions=["settle"])
    def backfill(self, request: HttpRequest, queryset: QuerySet[StreamGap]) -> HttpResponse | None:
        """Plan a backfill for each agent, after asking."""
        still_open = queryset.filter(status=GapStatus.OPEN)

        def settle(gap_id: str, by: str) -> StreamGap:
            return gaps.settle_by_backfill(gap_id, by=by, now=datetime.now(UTC))

        return self._settle(request, still_open, "backfill", settle, "Will be backfilled")

    @admin.display(description="gap")
    def short_id(self, gap: StreamGap) -> SafeString:
        """The first characters of the id; all of it on hovering."""
        return format_html('<span title="{}"><code>{}</code></span>', gap.pk, gap.pk[:SHOWN_ID])

    @admin.display(description="status")
    def status_and_policy(self, gap: StreamGap) -> SafeString:
        """The status, and what it means for the agent."""
        return format_html('{}<br><span class="mc-quiet">{}</span>', gap.status, _effect(gap))

    @admin.display(description="status")
    def status_and_effect(self, gap: StreamGap) -> str:
        """The status, and what it means for the agent."""
        return f"{gap.status}: {_effect(gap)}"

    @admin.display(description="agent")
    def agent_link(self, gap: StreamGap) -> SafeString:
        """The agent, with a link to its page."""
        url = reverse("admin:agents_app_agent_change", args=(gap.agent_id,))
        return format_html('<a href="{}">{}</a>', url, gap.agent_id)

    @admin.display(description="collection")
    def place(self, gap: StreamGap) -> str:
        """Database and collection."""
        return f"{gap.database}.{gap.collection}"

    @admin.display(description="kind")
    def kind_and_code(self, gap: StreamGap) -> str:
        """What kind of gap it is, and the server's error that revealed it."""
        kind = GapKind(gap.kind).label
        return f"{kind} (MongoDB error {gap.code})" if gap.code else str(kind)

    @admin.display(description="changes not seen (UTC)")
    def unseen(self, gap: StreamGap) -> SafeString:
        """From when to when the agent has seen nothing."""
        return format_html("{}<br>to {}", _time(gap.since), _time(gap.until))

    @admin.display(description="backfill")
    def backfill_link(self, gap: StreamGap) -> SafeString | str:
        """The backfill that closes it."""
        if not gap.backfill_id:
            return "none"
        try:
            url = reverse("admin:executions_app_backfill_change", args=(gap.backfill_id,))
        except NoReverseMatch:
            return str(gap.backfill_id)
        return format_html('<a href="{}"><code>{}</code></a>', url, gap.backfill_id[:SHOWN_ID])

    @admin.display(description="closed")
    def closing(self, gap: StreamGap) -> str:
        """When, by whom and how it was closed."""
        if gap.closed_at is None:
            return "not yet"
        return f"{gap.closed_at:%Y-%m-%d %H:%M:%S} UTC by {gap.closed_by}: {gap.resolution}"

    def _settle(
        self,
        request: HttpRequest,
        queryset: QuerySet[StreamGap],
        action: str,
        settle: Callable[[str, str], StreamGap],
        word: str,
    ) -> HttpResponse | None:
        if not queryset.exists():
            self.message_user(request, "None of the selected gaps is open to that.", messages.WARNING)
            return None
        if request.POST.get("confirmed") != "yes":
            return self._ask(request, queryset, action)
        settled = 0
        for gap in queryset:
            try:
                settle(gap.pk, request.user.get_username())
            except MongoClawError as error:
                self.message_user(request, f"{gap.pk[:SHOWN_ID]}: {error}", messages.ERROR)
            else:
                settled += 1
                self.log_change(request, gap, f"{word}.")
        if settled:
            self.message_user(request, f"{word}: {settled}.", messages.SUCCESS)
        return None

    def _ask(self, request: HttpRequest, queryset: QuerySet[StreamGap], action: str) -> HttpResponse:
        title, consequence, button = QUESTIONS[action]
        return asking(
            self,
            request,
            "streamgap/settle.html",
            title=title,
            consequence=consequence,
            button=button,
            rows=queryset,
            count=queryset.count(),
            action=action,
        )


def _effect(gap: StreamGap) -> str:
    if gap.status == GapStatus.BACKFILLING:
        return "a backfill works through it"
    if gap.status == GapStatus.CLOSED:
        return gap.resolution
    return "holds its agent" if gap.policy == HistoryPolicy.FAIL else "its agent goes on"


def _time(packed: str) -> str:
    return f"{unpack_time(packed).as_datetime():%Y-%m-%d %H:%M:%S}"
