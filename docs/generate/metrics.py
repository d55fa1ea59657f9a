"""The metrics of the watcher, from their declarations."""

from __future__ import annotations

from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from docs.generate.markdown import page, table
from watcher.observing import metrics

_LEAD: Final = """\
Each watcher answers at `MONGOCLAW_WATCHER__METRICS_HOST` and `MONGOCLAW_WATCHER__METRICS_PORT` (127.0.0.1:9464; 0 turns
it off) for `/metrics`, `/health/live` and `/health/ready`. A port that is taken is a warning in the log, and the
watcher works without; give each watcher of a host its own. Beside the metrics below there are those of the process
itself, `process_…` and `python_…`.

A stream is named as in `mongoclaw streams list`: the database, or `database#part/parts` where it is divided. The gauges
of a stream exist at the watcher that leads it and nowhere else: they move with it.

`mongoclaw_dead_letters` is counted every ten seconds, by the watcher that dispatches and by no other. Beyond 200 pairs
of labels the rarest are summed up as `(others)`.

Runs, calls and what waits are those of the whole fleet, and are at the watcher that counts for it: sum them over all
watchers, for another one may lead later. Counters begin at 0 with it. They are 10 to 40 seconds behind.

The times of streams are those of the primary's clock. This host's clock has no part in them."""

_ALERTS: Final = (
    (
        "`min(mongoclaw_time_to_history_lost_seconds) < 3600`",
        "Changes may be lost within the hour. Let a watcher read, or enlarge the oplog.",
    ),
    (
        "`max(mongoclaw_stream_lag_seconds) > 60`, for 5 minutes",
        "A stream does not keep up, or is not read: `mongoclaw streams list`.",
    ),
    (
        "`absent(mongoclaw_stream_lag_seconds)`, for 5 minutes",
        "No watcher leads any stream, or no agent is enabled.",
    ),
    (
        "`increase(mongoclaw_stream_gaps_total[1h]) > 0`",
        "An agent has not seen something: `mongoclaw streams gaps list`.",
    ),
    (
        "`max(mongoclaw_oldest_due_seconds) > 300`",
        "Work waits: too few workers, or a limit holds it. `mongoclaw stats` says whose.",
    ),
    (
        "`sum by (agent) (rate(mongoclaw_failed_runs_total[15m]))`, above what you are used to",
        "`mongoclaw stats --since 1h --by reason` says why.",
    ),
    (
        "`sum(delta(mongoclaw_dead_letters[15m])) > 10`",
        "Runs fail for good: `mongoclaw dlq list`.",
    ),
    (
        'any `mongoclaw_dead_letters{reason="poison_run"}`',
        "A document kills the workers that work on it: `mongoclaw dlq list --reason poison_run`.",
    ),
    (
        "`/health/ready` is not 200",
        "This watcher does not do its work; the reply says why. A standby is 200.",
    ),
)


_SUFFIXES: Final = {"counter": "_total", "histogram": "_{bucket,sum,count}"}


def reference() -> str:
    """The page."""
    headers = ("metric", "kind", "labels", "meaning")
    listed = table(headers, map(_row, declared().values()))
    alerts = table(("when", "what it means"), _ALERTS)
    return page("Metrics", _LEAD, listed, "## What to be woken by", alerts)


def declared() -> dict[str, MetricWrapperBase]:
    """The metrics by the names of their declarations, in the order of these."""
    found = vars(metrics).items()
    return {name: value for name, value in found if isinstance(value, MetricWrapperBase)}


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    described = next(iter(metric.describe()))
    labels = metric._labelnames  # noqa: SLF001  # the library tells them nowhere else
    name, kind = described.name, described.type
    shown = f"{name}{_SUFFIXES.get(kind, '')}"
    return f"`{shown}`", kind, ", ".join(f"`{label}`" for label in labels), described.documentation
