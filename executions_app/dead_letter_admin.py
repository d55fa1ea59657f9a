"""Dead letters in Django's admin: read by many, run again or put aside by those who may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents_app.sight import visible_agents
from executions_app import dead_letter_work as work
from executions_app import dead_letters, queries
from executions_app.admin_filters import OfAgent, ReasonFilter
from executions_app.asking import request_id_of
from executions_app.asking_first import asking
from executions_app.cost import cost_text
from executions_app.dead_letter_work import LEFT_MEANINGS, Report, Selection
from executions_app.models import DeadRun, Discard, StrayMessage
from executions_app.read_only_admin import LongListAdmin
from executions_app.states import Status, reason_meaning

SHOWN_ID: Final = 8
SHOWN_TEXT: Final = 90
MOST_AT_ONCE: Final = 1_000
"""Letters that one click moves; the command line and the API know no such bound."""

QUESTIONS: Final = {
    "requeue": (
        "Run dead letters again?",
        "Each runs with all its tries and by the current version of its agent. A call of the model may cost money.",
        "Run again",
    ),
    "discard": (
        "Put dead letters aside?",
        "They leave this list and all counts. None is erased: the filter shows them, and they can be brought back.",
        "Discard",
    ),
    "restore": ("Bring dead letters back?", "They count as dead letters again.", "Bring back"),
}


class AsideFilter(admin.SimpleListFilter):
    """What was discarded is shown only when it is asked for."""

    title = "put aside"
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """Only one other list."""
        return [("1", "discarded")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep the dead letters, or those that were discarded."""
        return queryset.filter(status=Status.DISCARDED if self.value() else Status.FAILED)


class WithReason(ReasonFilter):
    """By reason, of those that dead letters have."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep those with the chosen reason."""
        return queryset.filter(reason=self.value()) if self.value() else queryset

    def choices_known(self, user: object) -> list[str]:
        """The reasons of all dead letters in sight."""
        only = visible_agents(user)
        seen = {reason for agent, reason in dead_letters.counts() if only is None or agent in only}
        return sorted(seen - {dead_letters.OTHERS})


class DeadLetterAdmin(LongListAdmin):
    """What both kinds of dead letters have in common."""

    fields = ("id",)

    def context_of(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Offer on a letter's page what may be done about it, where the list would take it."""
        dead, aside = row.status == Status.FAILED, row.status == Status.DISCARDED
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return {
            "reason_meaning": reason_meaning(row.reason),
            "put_aside": self.put_aside(row),
            "may_requeue": dead
            and "requeue" in (self.actions or ())
            and self.has_requeue_permission(request),
            "may_discard": dead and self.has_discard_permission(request),
            "may_restore": aside and self.has_discard_permission(request),
            "list_url": f"{url}?archived=1" if aside else url,
            "subtitle": None,
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Bring along why letters were put aside."""
        in_force = Prefetch("discards", Discard.objects.filter(restored_at=None), to_attr="in_force")
        return super().get_queryset(request).prefetch_related(in_force)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Whoever sees executions sees dead letters."""
        return bool(request.user.has_perm("executions_app.view_execution"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Likewise."""
        return self.has_view_permission(request)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run dead letters again."""
        return bool(request.user.has_perm("executions_app.requeue_execution"))

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Whether the user may put dead letters aside and bring them back."""
        return bool(request.user.has_perm("executions_app.discard_execution"))

    @admin.action(description="Discard: put aside", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Put letters aside, after asking why."""
        by, why = request.user.get_username(), request.POST.get("why", "")

        def move(selection: Selection) -> Report:
            return work.discard(selection, by=by, why=why, now=datetime.now(UTC))

        return self._confirmed(request, queryset.filter(status=Status.FAILED), "discard", move)

    @admin.action(description="Bring back what was discarded", permissions=["discard"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Bring discarded letters back, after asking."""

        def move(selection: Selection) -> Report:
            return work.restore(selection, by=request.user.get_username(), now=datetime.now(UTC))

        return self._confirmed(request, queryset.filter(status=Status.DISCARDED), "restore", move)

    @admin.display(description="put aside")
    def put_aside(self, letter: Any) -> str | None:
        """Who put it aside, when and why."""
        told = (f"{one.at:%Y-%m-%d %H:%M} by {one.by}: {one.why or '-'}" for one in letter.in_force)
        return next(told, None)

    def _confirmed(
        self, request: HttpRequest, queryset: QuerySet[Any], action: str, move: Callable[[Selection], Report]
    ) -> HttpResponse | None:
        ids = tuple(queryset.values_list("id", flat=True)[:MOST_AT_ONCE])
        if not ids:
            self.message_user(request, "None of the selected letters is open to that.", messages.WARNING)
            return None
        if request.POST.get("confirmed") == "yes":
            tell(self, request, QUESTIONS[action][2], move(Selection(ids=ids)))
            return None
        title, consequence, button = QUESTIONS[action]
        left_out = queryset.count() - len(ids)
        return asking(
            self,
            request,
            "dead_letter/confirm.html",
            title=title,
            consequence=consequence,
            button=button,
            rows=queryset,
            count=len(ids),
            left_out=left_out,
            action=action,
        )


class DeadRunAdmin(DeadLetterAdmin):
    """Runs that failed for good."""

    list_display = ("short_id", "agent_id", "document", "reason", "failure", "completed_at", "put_aside")
    list_filter = (AsideFilter, OfAgent, WithReason)
    search_fields = ("id",)
    search_help_text = "The beginning of an execution's id or of a document's _id, or a part of the error."
    ordering = ("-completed_at", "id")
    sortable_by = ()
    list_display_links = None
    actions = ("requeue", "discard", "restore")
    change_form_template = "admin/executions_app/dead_letter/run.html"

    def context_of(self, request: HttpRequest, row: DeadRun) -> dict[str, Any]:
        """Show what, why, when, the attempts, and the last prompt and answer."""
        trace = queries.trace(row)
        *earlier, last = trace.calls or (None,)
        return {
            **super().context_of(request, row),
            "title": f"{row.agent_id} on {_cut(row.document_id)}",
            "trace": trace,
            "last_call": last,
            "earlier_calls": earlier[::-1],
            "requeues": row.requeues.all(),
            "cost": cost_text(row.cost_nanousd),
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadRun]:
        """Leave out what is no dead letter, and long texts."""
        rows = super().get_queryset(request).filter(status__in=[Status.FAILED, Status.DISCARDED])
        return rows.defer("traceback", "document_key")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Search by what the command and the API search by."""
        text = search_term.strip()
        return (dead_letters.with_text(queryset, text) if text else queryset), False

    @admin.action(description="Run again", permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[DeadRun]) -> HttpResponse | None:
        """Let dead letters run again, after asking: each may cost a model call."""
        rate = request.POST.get("rate", "")

        def move(selection: Selection) -> Report:
            paced = float(rate) if rate.isdecimal() and int(rate) else None
            by, request_id = request.user.get_username(), request_id_of(request)
            return work.requeue(selection, by=by, rate=paced, request_id=request_id, now=datetime.now(UTC))

        return self._confirmed(request, queryset.filter(status=Status.FAILED), "requeue", move)

    @admin.display(description="execution")
    def short_id(self, run: DeadRun) -> SafeString:
        """The first characters of the id, with a link to all that is known."""
        url = reverse("admin:executions_app_deadrun_change", args=(run.pk,))
        return format_html('<a href="{}" title="{}"><code>{}</code></a>', url, run.pk, run.pk[:SHOWN_ID])

    @admin.display(description="document")
    def document(self, run: DeadRun) -> SafeString:
        """The document's `_id` and where it is."""
        shown = _cut(run.document_id)
        return format_html('{}<br><span class="mc-quiet">{}.{}</span>', shown, run.database, run.collection)

    @admin.display(description="error")
    def failure(self, run: DeadRun) -> SafeString:
        """The beginning of the error; all of it on hovering."""
        return format_html('<span title="{}">{}</span>', run.error, _cut(run.error))


class StrayMessageAdmin(DeadLetterAdmin):
    """Messages that no worker can make a run of."""

    list_display = ("short_id", "reason", "task", "shown_excerpt", "times", "last_seen_at", "put_aside")
    list_filter = (AsideFilter, "reason")
    search_fields = ("id__startswith", "task", "excerpt", "error")
    ordering = ("-last_seen_at", "id")
    sortable_by = ()
    actions = ("discard", "restore")
    change_form_template = "admin/executions_app/dead_letter/message.html"

    def context_of(self, request: HttpRequest, row: StrayMessage) -> dict[str, Any]:
        """Show what, why and when."""
        return {**super().context_of(request, row), "title": f"Message {row.pk[:SHOWN_ID]}"}

    @admin.display(description="message")
    def short_id(self, stray: StrayMessage) -> SafeString:
        """The first characters of the id; all of it on hovering."""
        return format_html('<span title="{}"><code>{}</code></span>', stray.pk, stray.pk[:SHOWN_ID])

    @admin.display(description="body")
    def shown_excerpt(self, stray: StrayMessage) -> SafeString:
        """The beginning of the body; more of it on hovering."""
        return format_html('<span title="{}">{}</span>', stray.excerpt, _cut(stray.excerpt))


def tell(page: admin.ModelAdmin[Any], request: HttpRequest, done: str, report: Report) -> None:
    """Say what became of letters, and which were left as they were and why."""
    page.message_user(request, f"{done}: {report.moved}.", messages.SUCCESS)
    for cause, number in sorted(report.left.items()):
        page.message_user(request, f"Left as they were: {number} ({LEFT_MEANINGS[cause]}).", messages.WARNING)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "…"
