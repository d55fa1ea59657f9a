"""The ledger in Django's admin: people read it and change nothing, but may let a dead letter run again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents_app.registry import readable
from agents_app.spec import PolicySpec
from executions_app import dead_letter_work as work
from executions_app import listing, queries
from executions_app.admin_filters import AgentFilter, OperationFilter, ReasonFilter, StatusFilter, chosen
from executions_app.asking import request_id_of
from executions_app.asking_first import asking
from executions_app.backfill_admin import BackfillAdmin
from executions_app.cost import cost_text
from executions_app.dead_letter_admin import DeadRunAdmin, StrayMessageAdmin, tell
from executions_app.gap_admin import StreamGapAdmin
from executions_app.hold_admin import HoldAdmin
from executions_app.models import (
    Backfill,
    DeadRun,
    Execution,
    Hold,
    HourTally,
    Notification,
    StrayMessage,
    StreamGap,
    WorkerProcess,
)
from executions_app.notification_admin import NotificationAdmin
from executions_app.read_only_admin import LongListAdmin, ReadOnlyAdmin
from executions_app.states import Status, reason_meaning
from executions_app.tally_admin import HourTallyAdmin

SHOWN_ID = 8
SHOWN_DOCUMENT = 48
MOST_AT_ONCE = 1_000
"""Dead letters that one click runs again: each is a transaction of its own within one request."""


admin.site.register(Backfill, BackfillAdmin)
admin.site.register(HourTally, HourTallyAdmin)
admin.site.register(StreamGap, StreamGapAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Notification, NotificationAdmin)
admin.site.register(DeadRun, DeadRunAdmin)
admin.site.register(StrayMessage, StrayMessageAdmin)


@admin.register(Execution)
class ExecutionAdmin(LongListAdmin):
    """Executions: the list, and the story of each."""

    list_display = (
        "short_id",
        "status_and_reason",
        "agent_link",
        "document",
        "tries",
        "created_at",
        "duration",
        "cost",
    )
    list_filter = (StatusFilter, AgentFilter, ReasonFilter, OperationFilter)
    search_fields = ("id",)
    search_help_text = "An execution's id, a document's _id, or the beginning of a document's _id."
    ordering = ("-created_at",)
    sortable_by = ("created_at",)
    actions = ("run_again",)
    fields = ("id",)
    change_form_template = "admin/executions_app/execution/trace.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Execution]:
        """Bring along what the list shows, and leave long texts behind."""
        return listing.narrowed(queries.listed(super().get_queryset(request)), chosen(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say where a filter was not followed to the end of the ledger."""
        if chosen(request).has_limits and listing.is_longer_than_reach():
            told = f"These are among the newest {listing.REACH:,} executions only."
            self.message_user(request, told, messages.INFO)
        return super().changelist_view(request, extra_context)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Search by execution and by document."""
        text = search_term.strip()
        return (queries.search(queryset, text) if text else queryset), False

    def context_of(self, request: HttpRequest, row: Execution) -> dict[str, Any]:
        """Show the trace instead of a form."""
        return self._trace_context(request, row)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run dead letters again."""
        return bool(request.user.has_perm("executions_app.requeue_execution"))

    @admin.action(description="Run failed executions again", permissions=["requeue"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Execution]) -> HttpResponse | None:
        """Requeue the dead letters among the selected rows, after asking: each may cost a model call."""
        dead = queryset.filter(status=Status.FAILED)
        failed = list(dead.values_list("id", flat=True)[:MOST_AT_ONCE])
        if not failed:
            self.message_user(request, "None of the selected executions has failed.", messages.WARNING)
            return None
        if request.POST.get("confirmed") != "yes":
            return self._ask(request, dead, len(failed))
        chosen = work.Selection(ids=tuple(failed))
        by, request_id = request.user.get_username(), request_id_of(request)
        report = work.requeue(chosen, by=by, request_id=request_id, now=datetime.now(UTC))
        tell(self, request, "Run again", report)
        return None

    @admin.display(description="execution", ordering="created_at")
    def short_id(self, execution: Execution) -> SafeString:
        """The first characters of the id; all of it on hovering."""
        return format_html('<span title="{}"><code>{}</code></span>', execution.pk, execution.pk[:SHOWN_ID])

    @admin.display(description="status")
    def status_and_reason(self, execution: Execution) -> SafeString:
        """The status and the reason; its meaning, or the error, on hovering."""
        meaning = reason_meaning(execution.reason) or execution.error
        markup = '<span title="{}">{}<br><span class="mc-quiet">{}</span></span>'
        return format_html(markup, meaning, execution.status, execution.reason)

    @admin.display(description="agent")
    def agent_link(self, execution: Execution) -> str:
        """The agent and the number of its version."""
        return f"{execution.agent_id} v{execution.version.number}"

    @admin.display(description="document")
    def document(self, execution: Execution) -> SafeString:
        """The document's `_id`, and what happened to it where."""
        shown = execution.document_id
        if len(shown) > SHOWN_DOCUMENT:
            shown = shown[:SHOWN_DOCUMENT] + "…"
        event = f"{execution.operation} in {execution.database}.{execution.collection}"
        markup = '<span title="{}">{}<br><span class="mc-quiet">{}</span></span>'
        return format_html(markup, execution.document_id, shown, event)

    @admin.display(description="tries")
    def tries(self, execution: Execution) -> str:
        """How many tries failed, and how many waits burnt none."""
        deferred = f" + {execution.deferrals} deferred" if execution.deferrals else ""
        return f"{execution.attempts}{deferred}"

    @admin.display(description="duration")
    def duration(self, execution: Execution) -> str | None:
        """The last run's duration."""
        return None if execution.duration_ms is None else f"{execution.duration_ms:,.0f} ms"

    @admin.display(description="cost")
    def cost(self, execution: Execution) -> str | None:
        """What the calls cost; nothing while none was made."""
        return cost_text(execution.cost_nanousd) if execution.model_calls else None

    def _trace_context(self, request: HttpRequest, execution: Execution) -> dict[str, Any]:
        return {
            "trace": queries.trace(execution),
            "title": f"{execution.agent_id} on {execution.document_id}",
            "subtitle": None,
            "reason_meaning": reason_meaning(execution.reason),
            "policy": _policy_of(execution),
            "cost": cost_text(execution.cost_nanousd) if execution.model_calls else "",
            "may_run_again": execution.status == Status.FAILED and self.has_requeue_permission(request),
        }

    def _ask(self, request: HttpRequest, failed: QuerySet[Execution], count: int) -> HttpResponse:
        return asking(
            self,
            request,
            "execution/run_again.html",
            title="Run failed executions again?",
            rows=failed,
            count=count,
            action="run_again",
            button="Run again",
            left_out=failed.count() - count,
        )


def _policy_of(execution: Execution) -> PolicySpec | None:
    """The policy of the run's version, if it has one that this release can read."""
    spec = readable(execution.version_id)
    return spec.policy if spec else None


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnlyAdmin):
    """Processes that hold claims or dispatch, by their last sign of life."""

    list_display = ("id", "role", "host", "pid", "started_at", "beat_at")
    list_filter = ("role",)
    ordering = ("-beat_at",)
