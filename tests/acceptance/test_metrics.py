"""What a fleet tells Prometheus once it has run something, and whether alerts and dashboard ask for what there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from executions_app.metrics.declared import named
from executions_app.metrics.metric import Kind, Source
from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import ROOT, Fleet
from tests.acceptance.observing import Address, start_web

DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana/mongoclaw.json"
REQUEST = "find-me-everywhere"

BODY, NEIGHBOUR, KEY = "canary-of-the-body", "canary-beside-the-prompt", "sk-canary0123456789abcdef0123"
"""What no log may hold: from a prompt and the provider's words about it, from the rest of a document, and a secret."""

NAME = re.compile(r"\bmongoclaw_[a-z0-9_]+")
SELECTOR = re.compile(r"(mongoclaw_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
TARGET_LABELS = {"instance", "job", "le"}


def start(fleet: Fleet) -> dict[str, Address]:
    """Start a process of each kind, each with an address."""
    found = {"web": start_web(fleet)}
    for name, setting in (
        ("watcher", "MONGOCLAW_WATCHER__METRICS_PORT"),
        ("worker", "MONGOCLAW_OBSERVABILITY__METRICS_PORT"),
    ):
        with reserved_port(fleet.directory / f"{name}.port") as port:
            fleet.environ[setting] = str(port)
            found[name] = Address(port)
            (fleet.start_watcher if name == "watcher" else fleet.start_worker)(name)
            fleet.wait_for(partial(_is_ready, found[name]))
    return found


def _is_ready(address: Address) -> bool:
    return address.get("/health/ready")[0] == 200


def queries() -> Iterator[str]:
    """Every query of the rules and of the dashboard."""
    for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    yield from (one["definition"] for one in dashboard["templating"]["list"] if "definition" in one)


def labels_of(families: list[Metric]) -> dict[str, set[str]]:
    """The labels of each name that is told; those of the declaration where there is no sample."""
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    for metric in named().values():
        told = any(
            family.name in {metric.full_name, metric.full_name.removesuffix("_total")} for family in families
        )
        if told and metric.kind is not Kind.HISTOGRAM:
            found.setdefault(metric.full_name, set(metric.labels))
    return found


def wrong(query: str, known: dict[str, set[str]]) -> Iterator[str]:
    """What a query asks for that nobody tells."""
    names = set(NAME.findall(query))
    yield from (f"{name} is not told" for name in sorted(names - known.keys()))
    for name, matchers in SELECTOR.findall(query):
        yield from (
            f"{name} has no {label}" for label in set(MATCHER.findall(matchers)) - known.get(name, set())
        )
    grouped = {label.strip() for found in GROUPING.findall(query) for label in found.split(",")}
    of_names = set().union(*(known.get(name, set()) for name in names))
    yield from (f"nothing in it has {label}" for label in grouped - of_names - TARGET_LABELS)


def run_something(fleet: Fleet, web: Address) -> None:
    """Let runs end well, fail, be put off and run again. One answer is no good and holds what it was asked."""
    policy = {"condition": "result.category == 'bug'", "action": "enrich", "fallback_action": "enrich"}
    fleet.publish(
        policy=policy, execution={"max_concurrency": 8, "max_retries": 1, "retry_delay_seconds": 0.1}
    )
    fleet.publish(id="limited", watch={"collection": "limited"}, ai={"model": "sandbox-2"})
    fleet.model.script("content", contains=BODY, content=json.dumps({"category": f"{BODY} {KEY}"}))
    fleet.model.script("error_500", contains="stumbles", times=1)
    fleet.model.script("rate_limit", contains="asks too much", retry_after=120)
    fleet.db.tickets.insert_many(
        [{"text": f"The invoice is wrong, {number}", "secret": NEIGHBOUR} for number in range(10)]
        + [{"text": f"{BODY} {KEY}", "secret": NEIGHBOUR}, {"text": "it stumbles", "secret": NEIGHBOUR}]
    )
    fleet.db.limited.insert_one({"text": "asks too much"})
    failed = "SELECT count(*) FROM executions_app_execution WHERE status = 'failed'"
    fleet.wait_for(lambda: fleet.count(failed) == 1 and fleet.unfinished() == 1)
    asked = {"X-Request-ID": REQUEST, "X-API-Key": fleet.environ["MONGOCLAW_SECURITY__API_KEYS"]}
    status, answer = web.get(
        "/api/v1/dead-letters/requeue", {**asked, "Content-Type": "application/json"}, b'{"all": true}'
    )
    assert (status, json.loads(answer)["moved"]) == (200, 1), answer
    fleet.wait_for(lambda: fleet.count(f"{failed} AND claim > 1") == 1)


@pytest.mark.timeout(300)  # figures of what ended are up to 40 s behind
def test_a_fleet_tells_all_that_the_contract_the_alerts_and_the_dashboard_name_and_its_logs_tell_no_secret(
    fleet: Fleet,
) -> None:
    fleet.environ["MONGOCLAW_SECURITY__API_KEYS"] = "an-api-key-of-the-test-0123456789"
    addresses = start(fleet)
    run_something(fleet, addresses["web"])
    web = addresses["web"]

    def counted() -> bool:
        total = (
            sample.value for one in web.metrics() for sample in one.samples if sample.name.endswith(ENDED)
        )
        return sum(total) >= 12  # the letter that ran again may have been counted once

    fleet.wait_for(counted, seconds=100)
    pages = {name: address.metrics() for name, address in addresses.items()}

    known = labels_of([family for page in pages.values() for family in page])
    assert [(query, found) for query in queries() if (found := list(wrong(query, known)))] == []
    assert sorted(set(never_told(pages))) == []
    assert "mongoclaw_process" not in known
    read_logs(fleet)


ENDED = "mongoclaw_agent_executions_total"

ONLY_THEN: dict[str, str] = {
    "agent_limit_reached": "a limit is reached",
    "agent_quarantine_events_total": "an agent fails again and again",
    "agent_concurrency_waits_total": "a worker meets the limit before dispatch does",
    "agent_stream_starvation_cycles_total": "the broker is full",
    "agent_stream_saturation_skips_total": "a window is full",
    "agent_stream_pending": "the broker holds messages",
    "agent_stream_inflight": "something is at work",
    "dispatch_admission_total": "there is no room",
    "due_runs": "something waits",
    "oldest_due_seconds": "something waits",
    "replayed_deliveries_total": "a message comes twice",
    "skipped_runs_total": "a run is skipped",
    "gaps": "there is a gap",
    "stream_gaps_total": "there is a gap",
    "stream_reopens_total": "a stream broke",
    "stream_collection_events_total": "a collection is dropped",
    "backfill_documents_total": "a backfill runs",
}
"""Metrics without a sample until something happens that did not happen here; each has a test of its own elsewhere."""


def never_told(pages: dict[str, list[Metric]]) -> Iterator[str]:
    """The metrics that the process which should tell them does not."""
    for metric in named().values():
        expected = {
            Source.FLEET: "web",
            Source.WEB: "web",
            Source.WATCHER: "watcher",
            Source.WORKER: "worker",
        }
        page = pages[expected.get(metric.source, "worker")]
        told = {name for family in page for name in (sample.name for sample in family.samples)}
        families = {family.name for family in page}
        name = metric.full_name
        has_sample = name in told or f"{name}_count" in told
        if has_sample or (metric.name in ONLY_THEN and {name, name.removesuffix("_total")} & families):
            continue
        yield metric.name


def read_logs(fleet: Fleet) -> None:
    """Look for canaries, for the request that ran a letter again, and for the line of every run."""
    logs = {path.stem: path.read_text() for path in Path(fleet.directory / "logs").glob("*.log")}
    assert {"web", "watcher", "worker"} <= logs.keys()
    canaries = (BODY, NEIGHBOUR, KEY, fleet.environ["MONGOCLAW_SECURITY__API_KEYS"])
    assert [(name, canary) for name, text in logs.items() for canary in canaries if canary in text] == []
    lines = [json.loads(line) for text in logs.values() for line in text.splitlines() if line.startswith("{")]
    of_request = {line["event"] for line in lines if line.get("request_id") == REQUEST}
    assert {"http.request", "execution.ended"} <= of_request
    ended = [line for line in lines if line["event"] == "execution.ended"]
    assert {line["status"] for line in ended} >= {"completed", "failed", "pending"}
    wanted = {
        "execution_id",
        "agent_id",
        "reason",
        "claim",
        "waited_ms",
        "duration_ms",
        "age_ms",
        "model_calls",
    }
    assert [line for line in ended if not wanted <= line.keys()] == []


def test_the_rules_are_what_prometheus_reads() -> None:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    for group in groups:
        assert group.keys() == {"name", "rules"}
        for rule in group["rules"]:
            assert {"alert", "expr", "labels", "annotations"} <= rule.keys() <= {*rule, "for"}
            assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"].keys() == {"summary", "description"}
            opened, closed = (rule["expr"].count(sign) for sign in "()")
            assert opened == closed
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    assert scraped["rule_files"] == ["alerts.yml"]
    assert {job["job_name"] for job in scraped["scrape_configs"]} == {
        "mongoclaw-web",
        "mongoclaw-watcher",
        "mongoclaw-worker",
    }


def test_a_query_for_what_nobody_tells_is_noticed() -> None:
    known = {"mongoclaw_runs": {"status"}}
    assert list(wrong('max by (status) (mongoclaw_runs{status="pending"})', known)) == []
    assert list(wrong("mongoclaw_run", known)) == ["mongoclaw_run is not told"]
    assert list(wrong('mongoclaw_runs{agent="a"}', known)) == ["mongoclaw_runs has no agent"]
    assert list(wrong("sum by (agent) (mongoclaw_runs)", known)) == ["nothing in it has agent"]
