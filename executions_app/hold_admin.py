"""Holds in Django's admin: who holds what back and why, and who did before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from agents_app.errors import MongoClawError
from executions_app import holds
from executions_app.asking_first import asking
from executions_app.hold_wire import WHAT_RESUMING_DOES
from executions_app.models import Hold
from executions_app.read_only_admin import LongListAdmin

IN_FORCE: Final = "in force"
OVER: Final = "over"


class InForceFilter(admin.SimpleListFilter):
    """What is held now, or what was."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """Both states."""
        return [(state, state) for state in (IN_FORCE, OVER)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep the holds in the chosen state."""
        return queryset.filter(lifted_at__isnull=self.value() == IN_FORCE) if self.value() else queryset


class HoldAdmin(LongListAdmin):
    """Holds: made in the console, by the API and the command line, and ended here too."""

    list_display = ("held", "state", "by", "at", "reason", "lifted_by", "lifted_at")
    list_filter = (InForceFilter,)
    search_fields = ("scope__startswith", "by")
    search_help_text = "The beginning of an agent's id, or who holds."
    ordering = ("-at",)
    sortable_by = ()
    actions = ("resume",)
    change_form_template = "admin/executions_app/decide.html"
    fields = ("held", "state", "by", "at", "reason", "lifted_by", "lifted_at")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may let agents go on."""
        return bool(request.user.has_perm("agents_app.operate_agent"))

    def context_of(self, request: HttpRequest, row: Hold) -> dict[str, Any]:
        """Offer to end a hold that is in force."""
        may = row.lifted_at is None and self.has_operate_permission(request)
        return {"decisions": [("resume", "Resume…")] if may else [], "subtitle": None, "title": str(row)}

    @admin.action(description="Resume: let the selected agents go on", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Hold]) -> HttpResponse | None:
        """End holds, after asking."""
        in_force = queryset.filter(lifted_at=None)
        if not in_force:
            self.message_user(request, "None of the selected holds is in force.", messages.WARNING)
            return None
        if request.POST.get("confirmed") != "yes":
            return asking(
                self,
                request,
                title="Let them go on?",
                consequence=WHAT_RESUMING_DOES,
                button="Resume",
                rows=in_force,
                count=in_force.count(),
                action="resume",
            )
        for hold in in_force:
            self._resume(request, hold)
        return None

    @admin.display(description="held")
    def held(self, hold: Hold) -> str:
        """The agent, or all of them."""
        return hold.scope or "all agents"

    @admin.display(description="state")
    def state(self, hold: Hold) -> str:
        """Whether it still holds."""
        return IN_FORCE if hold.lifted_at is None else OVER

    @admin.display(description="why")
    def reason(self, hold: Hold) -> str:
        """What was said about it."""
        return hold.why or "-"

    def _resume(self, request: HttpRequest, hold: Hold) -> None:
        """End one; an agent that was deleted meanwhile is a message."""
        try:
            lifted = holds.resume(hold.scope, by=request.user.get_username(), now=datetime.now(UTC))
        except MongoClawError as error:
            self.message_user(request, f"{self.held(hold)}: {error}", messages.ERROR)
            return
        if lifted:
            self.log_change(request, hold, "Resumed.")
            self.message_user(request, f"Resumed: {self.held(hold)}.", messages.SUCCESS)
