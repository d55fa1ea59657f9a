"""The metrics, from their declarations, and the alerts that come with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from docs.generate.markdown import page, table
from executions_app.metrics.declared import named
from executions_app.metrics.metric import Kind, Metric, Source

ALERTS: Final = Path(__file__).parents[2] / "deploy/alerts.yml"

_LEAD: Final = """\
Who answers for what:

| process | address | tells |
|---|---|---|
| web server | `/metrics` of its own port | its requests, and of the whole fleet what SQL, Redis and MongoDB know |
| watcher | `MONGOCLAW_WATCHER__METRICS_HOST` and `__METRICS_PORT` (127.0.0.1:9464) | the streams that it leads |
| worker | `MONGOCLAW_OBSERVABILITY__METRICS_HOST` and `__METRICS_PORT` (127.0.0.1:9090) | what it decided and put off |

A port that is taken is a warning in the log, and the process works without: give each process of a host its own. 0
turns one off, `MONGOCLAW_OBSERVABILITY__METRICS_ENABLED=false` all. Watchers and workers answer there for
`/health/live` and `/health/ready` as well, and ask nobody who he is; keep these ports inside your network. Who may
read the web server's is said by `MONGOCLAW_OBSERVABILITY__METRICS_ACCESS`; Prometheus may also log in (`basic_auth`)
as a user who may view *figures by hour*. Beside the metrics below each process tells `process_…` and `python_…` of
itself.

**Metrics of the fleet are the same at every web server**: take the `max` over instances, never the sum. They are
computed when they are asked for, once in two seconds at most (dead letters in ten). Counters of what ended come from
totals in SQL: they go on where they were when processes restart, and are 10 to 40 seconds behind. **What processes
count themselves** begins at 0 with each: use `rate()` or `increase()`, and sum.

So many agents have series of their own as `MONGOCLAW_OBSERVABILITY__METRICS_AGENTS` says, the oldest first; all
others are `_other` together. The same number bounds models. `endpoint` is the pattern of an address, never the
address.

Workers that fork (`--pool prefork`) count in each child. Set `PROMETHEUS_MULTIPROC_DIR` to an empty directory *for
that worker alone*, never in an environment that others share; without it such a worker has no address. `mongoclaw
server api` with several processes sets it for itself, and then has no `process_…` metrics.

A stream is named as in `mongoclaw streams list`: the database, or `database#part/parts` where it is divided. The
times of streams are those of the primary's clock; this host's clock has no part in them.

Names marked ● are those of MongoClaw 1.0.4, whose dashboards find them here."""

_SUFFIXES: Final = {Kind.HISTOGRAM: "_{bucket,sum,count}"}
_TITLES: Final = {
    Source.ANY: "Of every process",
    Source.FLEET: "Of the fleet, at the web server",
    Source.WEB: "Of the web server",
    Source.WATCHER: "Of a watcher",
    Source.WORKER: "Of a worker",
}


def reference() -> str:
    """The page."""
    return page("Metrics", _LEAD, *_sections(), "## What to be woken by", _alerts())


def _sections() -> Iterator[str]:
    for source, title in _TITLES.items():
        listed = [metric for metric in named().values() if metric.source is source]
        yield f"## {title}"
        yield table(("metric", "kind", "labels", "meaning"), map(_row, listed))


def _row(metric: Metric) -> tuple[str, str, str, str]:
    shown = f"`{metric.full_name}{_SUFFIXES.get(metric.kind, '')}`{' ●' if metric.contract else ''}"
    return shown, metric.kind.value, ", ".join(f"`{label}`" for label in metric.labels), metric.help


def _alerts() -> str:
    lead = "The rules of `deploy/alerts.yml`. A dashboard is in `deploy/grafana/`."
    return f"{lead}\n\n{table(('alert', 'when', 'what it means'), map(_alert, rules()))}"


def rules() -> list[dict[str, Any]]:
    """The alerting rules, as they are written in the file."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _alert(rule: dict[str, Any]) -> tuple[str, str, str]:
    lasting = f", for {rule['for']}" if "for" in rule else ""
    expression = " ".join(rule["expr"].split())
    return rule["alert"], f"`{expression}`{lasting}", rule["annotations"]["description"]
