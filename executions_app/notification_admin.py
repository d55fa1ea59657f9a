"""Notifications in Django's admin: what was told, what waits and why, and what was given up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from executions_app.admin_filters import OfAgent
from executions_app.asking_first import asking
from executions_app.models import Notification
from executions_app.notifications import sending
from executions_app.read_only_admin import LongListAdmin
from mongoclaw_project.config import current
from mongoclaw_project.config.hooks import NotificationEvent

WAITING: Final = "waiting"
SENT: Final = "sent"
GIVEN_UP: Final = "given up"
STATES: Final = {
    WAITING: Q(sent_at=None, given_up_at=None),
    SENT: Q(sent_at__isnull=False),
    GIVEN_UP: Q(given_up_at__isnull=False),
}
MOST_AT_ONCE: Final = 1_000
"""Notifications that one click sends again."""


class StateFilter(admin.SimpleListFilter):
    """By how far they are."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """All states."""
        return [(state, state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep those in the chosen state."""
        state = STATES.get(self.value() or "")
        return queryset if state is None else queryset.filter(state)


class EventFilter(admin.SimpleListFilter):
    """By what they tell."""

    title = "event"
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """All events, whether or not anything was told of them."""
        return [(event.value, event.value) for event in NotificationEvent]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep those of the chosen event."""
        return queryset.filter(event=self.value()) if self.value() else queryset


class NotificationAdmin(LongListAdmin):
    """The outbox, the newest first."""

    list_display = ("event", "agent_id", "state", "tries", "problem_shown", "created_at", "due_or_done")
    list_filter = (StateFilter, EventFilter, OfAgent)
    search_fields = ("id__startswith",)
    search_help_text = "The beginning of a notification's id, which the receiver got as X-MongoClaw-Delivery."
    ordering = ("-created_at",)
    sortable_by = ()
    actions = ("send_again",)
    change_form_template = "admin/executions_app/decide.html"
    fields = (
        "id",
        "event",
        "agent_id",
        "state",
        "tries",
        "problem_shown",
        "created_at",
        "due_or_done",
        "text",
    )

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the user may have notifications sent again."""
        return bool(request.user.has_perm("executions_app.change_notification"))

    def context_of(self, request: HttpRequest, row: Notification) -> dict[str, Any]:
        """Offer to send one again that was given up."""
        may = row.given_up_at is not None and self.has_send_permission(request)
        return {
            "decisions": [("send_again", "Send again…")] if may else [],
            "subtitle": None,
            "title": f"{row.event} of {row.agent_id}",
        }

    @admin.action(description="Send again what was given up", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> HttpResponse | None:
        """Have notifications sent again, after asking."""
        given_up = queryset.filter(STATES[GIVEN_UP])
        ids = list(given_up.values_list("id", flat=True)[:MOST_AT_ONCE])
        if not ids:
            self.message_user(request, "None of the selected notifications was given up.", messages.WARNING)
            return None
        if request.POST.get("confirmed") != "yes":
            return asking(
                self,
                request,
                title="Send them again?",
                consequence=_consequence(),
                button="Send again",
                rows=given_up,
                count=len(ids),
                action="send_again",
            )
        for row in given_up.filter(id__in=ids):
            self.log_change(request, row, "Sent again.")
        moved = sending.send_again(ids, now=datetime.now(UTC))
        self.message_user(request, f"Will be sent again: {moved}.", messages.SUCCESS)
        return None

    @admin.display(description="state")
    def state(self, row: Notification) -> str:
        """How far it is."""
        if row.sent_at is not None:
            return SENT
        return WAITING if row.given_up_at is None else GIVEN_UP

    @admin.display(description="last problem")
    def problem_shown(self, row: Notification) -> str:
        """Why the last try was in vain; nothing where it was not."""
        return row.problem or "-"

    @admin.display(description="due or done (UTC)")
    def due_or_done(self, row: Notification) -> str:
        """When it was sent or given up, or when the next try is."""
        if row.sent_at is not None:
            return f"sent {row.sent_at:%Y-%m-%d %H:%M:%S}"
        if row.given_up_at is not None:
            return f"given up {row.given_up_at:%Y-%m-%d %H:%M:%S}"
        return f"next try {row.due_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="what is told")
    def text(self, row: Notification) -> SafeString:
        """The body as it is sent."""
        return format_html(
            '<pre class="mc-yaml">{}</pre>', json.dumps(row.body, indent=2, ensure_ascii=False)
        )


def _consequence() -> str:
    told = "Each is tried once more, at once. What fails again is given up again."
    if current().notifications.url:
        return told
    return f"{told} No address is set (MONGOCLAW_NOTIFICATIONS__URL), so they wait until there is one."
