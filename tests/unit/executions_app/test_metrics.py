"""The declarations, against the contract of MongoClaw 1.0.4."""

from __future__ import annotations

import pytest

from executions_app.histogram import Histogram, bucket_of, estimated_sum, within
from executions_app.metrics.declared import named
from executions_app.metrics.metric import Kind
from executions_app.metrics.names import FirstSeen

C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
AGENT = ("agent_id",)
STREAM = ("agent_id", "stream")
MODEL = ("provider", "model")

# What dashboards of 1.0.4 ask for, those names included that it declared and never fed.
CONTRACT = {
    "info": (Kind.INFO, ("name", "version")),
    "loop_guard_skips_total": (C, AGENT),
    "shadow_writes_skipped_total": (C, AGENT),
    "policy_decisions_total": (C, ("agent_id", "action", "matched")),
    "agent_concurrency_waits_total": (C, AGENT),
    "version_conflicts_total": (C, AGENT),
    "hash_conflicts_total": (C, AGENT),
    "retries_scheduled_total": (C, ("agent_id", "reason")),
    "replayed_deliveries_total": (C, AGENT),
    "agent_stream_pending": (G, STREAM),
    "agent_stream_inflight": (G, STREAM),
    "agent_stream_starvation_cycles_total": (C, STREAM),
    "agent_stream_saturation_skips_total": (C, STREAM),
    "dispatch_admission_total": (C, (*STREAM, "decision")),
    "dispatch_queue_fullness": (G, ("stream",)),
    "dispatch_routed_total": (C, ("strategy", "stream")),
    "agent_quarantine_events_total": (C, AGENT),
    "agent_quarantine_active": (G, AGENT),
    "agent_latency_slo_violations_total": (C, AGENT),
    "http_requests_total": (C, ("method", "endpoint", "status")),
    "http_request_duration_seconds": (H, ("method", "endpoint")),
    "agents_total": (G, ("status",)),
    "agent_executions_total": (C, ("agent_id", "status")),
    "agent_execution_duration_seconds": (H, AGENT),
    "ai_requests_total": (C, (*MODEL, "status")),
    "ai_request_duration_seconds": (H, MODEL),
    "ai_tokens_total": (C, (*MODEL, "type")),
    "ai_cost_usd_total": (C, MODEL),
    "queue_size": (G, ("queue",)),
    "queue_pending": (G, ("queue", "consumer_group")),
    "queue_processed_total": (C, ("queue", "status")),
    "dlq_size": (G, ()),
    "workers_active": (G, ("pool",)),
    "worker_processing": (G, ("pool",)),
    "change_events_total": (C, ("database", "collection", "operation")),
    "change_stream_lag_seconds": (G, ("database", "collection")),
    "circuit_breaker_state": (G, ("name",)),
    "circuit_breaker_failures_total": (C, ("name",)),
}
BUCKETS = {
    "http_request_duration_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    "agent_execution_duration_seconds": (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    "ai_request_duration_seconds": (0.1, 0.5, 1, 2, 5, 10, 30, 60),
}


def test_every_name_of_the_contract_is_declared_with_its_kind_labels_and_buckets() -> None:
    declared = {metric.name: metric for metric in named().values() if metric.contract}
    assert {name: (metric.kind, metric.labels) for name, metric in declared.items()} == CONTRACT
    assert {name: declared[name].buckets for name in BUCKETS} == BUCKETS


def test_what_myca_calls_its_metrics_is_there_too() -> None:
    names = {metric.name for metric in named().values()}
    assert {"llm_requests_total", "llm_request_duration_seconds", "llm_tokens_total"} <= names


@pytest.mark.parametrize("milliseconds", [1, 90, 100, 250, 60_000])
def test_no_more_durations_are_within_a_bound_than_there_are(milliseconds: float) -> None:
    durations = [0.5, 3, 95, 99, 120, 240, 900, 61_000]
    histogram = Histogram(map(bucket_of, durations))

    found = within(histogram, milliseconds)

    certain = [one for one in durations if 1.42 * one <= milliseconds]
    assert len(certain) <= found <= len([one for one in durations if one <= 1.42 * milliseconds])
    assert within(histogram, 10**9) == len(durations)


def test_a_sum_is_estimated_within_a_bucket() -> None:
    durations = [80.0] * 100
    assert estimated_sum(Histogram(map(bucket_of, durations))) == pytest.approx(8_000, rel=0.25)


def test_so_many_names_have_labels_of_their_own_and_keep_them() -> None:
    label = FirstSeen(2)
    assert [label(name) for name in ("a", "b", "c", "a")] == ["a", "b", "_other", "a"]
