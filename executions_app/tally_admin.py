"""The hourly tallies in Django's admin: how runs ended, how quick they were, why they failed, what they cost."""

from __future__ import annotations

from datetime import UTC

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from executions_app.admin_filters import OfAgent
from executions_app.models import HourTally
from executions_app.read_only_admin import LongListAdmin
from executions_app.stats_wire import quantiles, spent
from executions_app.tally_rows import tally_of

SHOWN_REASONS = 3


class HourTallyAdmin(LongListAdmin):
    """A line for each agent and hour in which a run of it ended or a model was called for it."""

    list_display = ("hour_shown", "agent_id", "runs", "took", "waited", "why", "calls")
    list_filter = (OfAgent,)
    ordering = ("-hour", "agent_id")
    sortable_by = ()
    list_display_links = None

    @admin.display(description="hour (UTC)")
    def hour_shown(self, row: HourTally) -> str:
        """The beginning of the hour."""
        return f"{row.hour.astimezone(UTC):%Y-%m-%d %H:%M}"

    @admin.display(description="runs")
    def runs(self, row: HourTally) -> SafeString:
        """How many runs were completed, and what became of the others."""
        return _two(f"{row.completed:,} done", f"{row.skipped:,} skipped, {row.failed:,} failed")

    @admin.display(description="latency")
    def took(self, row: HourTally) -> SafeString | None:
        """Of completed runs, from the event on record to the end; and the share of them within the goal."""
        if not row.completed:
            return None
        found = quantiles(tally_of(row).latency)
        spread = f"p50 {_milliseconds(found['p50'])}, p95 {_milliseconds(found['p95'])}"
        return _two(spread, f"{row.within_slo / row.completed:.1%} in time")

    @admin.display(description="waited p95")
    def waited(self, row: HourTally) -> str:
        """95 % of the claimed runs had not been due for longer."""
        return _milliseconds(quantiles(tally_of(row).waiting)["p95"])

    @admin.display(description="failures")
    def why(self, row: HourTally) -> SafeString | None:
        """The commonest codes of failed runs."""
        common = tally_of(row).failures.most_common(SHOWN_REASONS)
        return format_html_join(mark_safe("<br>"), "{}: {}", common) if common else None

    @admin.display(description="model calls")
    def calls(self, row: HourTally) -> SafeString:
        """The calls, their tokens, and what those cost whose price is known."""
        told = (f"{row.tokens:,} tokens", spent(tally_of(row)))
        return _two(f"{row.model_calls:,}", ", ".join(part for part in told if part))


def _two(first: str, second: str) -> SafeString:
    return format_html('{}<br><span class="mc-quiet">{}</span>', first, second)


def _milliseconds(duration: float | None) -> str:
    return "-" if duration is None else f"{duration:,.0f} ms"
