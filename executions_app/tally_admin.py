"""The hourly tallies in Django's admin: how runs ended, how quick they were, why they failed, what they cost."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from executions_app.admin_filters import OfAgent
from executions_app.models import HourTally
from executions_app.paginator import NearPaginator
from executions_app.read_only_admin import ReadOnlyAdmin
from executions_app.stats_wire import quantiles, spent
from executions_app.tally_rows import tally_of

SHOWN_REASONS = 3


class HourTallyAdmin(ReadOnlyAdmin):
    """A line for each agent and hour in which a run of it ended or a model was called for it."""

    list_display = (
        "hour",
        "agent_id",
        "completed",
        "skipped",
        "failed",
        "latency_p50",
        "latency_p95",
        "in_time",
        "waited_p95",
        "why",
        "model_calls",
        "tokens",
        "cost",
    )
    list_filter = (OfAgent,)
    ordering = ("-hour", "agent_id")
    sortable_by = ()
    list_display_links = None
    paginator = NearPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0

    @admin.display(description="p50")
    def latency_p50(self, row: HourTally) -> str | None:
        """Half of the completed runs took no longer, from the event on record to the end."""
        return _milliseconds(quantiles(tally_of(row).latency)["p50"])

    @admin.display(description="p95")
    def latency_p95(self, row: HourTally) -> str | None:
        """95 % of the completed runs took no longer."""
        return _milliseconds(quantiles(tally_of(row).latency)["p95"])

    @admin.display(description="in time")
    def in_time(self, row: HourTally) -> str | None:
        """The share of the completed runs within the latency goal."""
        return f"{row.within_slo / row.completed:.1%}" if row.completed else None

    @admin.display(description="waited p95")
    def waited_p95(self, row: HourTally) -> str | None:
        """95 % of the claimed runs had not been due for longer."""
        return _milliseconds(quantiles(tally_of(row).waiting)["p95"])

    @admin.display(description="failures")
    def why(self, row: HourTally) -> SafeString | None:
        """The commonest codes of failed runs."""
        common = tally_of(row).failures.most_common(SHOWN_REASONS)
        return format_html_join(", ", "{}: {}", common) if common else None

    @admin.display(description="cost")
    def cost(self, row: HourTally) -> str | None:
        """What the calls cost whose price is known, and how many there are of the others."""
        return spent(tally_of(row))


def _milliseconds(duration: float | None) -> str | None:
    return None if duration is None else f"{duration:,.0f} ms"
