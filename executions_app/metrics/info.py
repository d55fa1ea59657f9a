"""What every process tells of itself, and in which form metrics are told."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from executions_app.metrics.declared import INFO
from executions_app.metrics.metric import PREFIX

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SHARED_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's: where processes that count together keep their counts, if it is set before they begin."""


class Info(Collector):
    """Tells what runs here."""

    def collect(self) -> list[InfoMetricFamily]:
        """Return the one sample."""
        value = {"name": "mongoclaw", "version": version("mongoclaw")}
        return [InfoMetricFamily(PREFIX.rstrip("_"), INFO.help, value=value)]


def process_metrics() -> bytes:
    """Write what this process has measured, or what those have that share its directory."""
    if SHARED_DIRECTORY not in os.environ:
        return generate_latest(REGISTRY) + written(Info())
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together) + written(Info())


def written(collector: Collector) -> bytes:
    """Write what a collector tells as Prometheus reads it."""
    return generate_latest(collector)
