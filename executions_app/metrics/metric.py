"""What a metric is, before anybody measures it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.utils import floatToGoString

PREFIX: Final = "mongoclaw_"

Labels = tuple[str, ...]


class Kind(StrEnum):
    """What Prometheus takes it for."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Source(StrEnum):
    """Who tells it."""

    FLEET = "web server, for the whole fleet"
    WEB = "web server"
    WATCHER = "watcher"
    WORKER = "worker"
    ANY = "every process"


@dataclass(frozen=True, slots=True)
class Metric:
    """A declaration. `name` is without our prefix, that of a counter with its `_total`; `buckets` are upper bounds.

    `help` is a sentence and names the unit where the name does not. One that MongoClaw 1.0.4 has too is of the
    `contract`: its name, labels and buckets are not ours to change.
    """

    name: str
    kind: Kind
    source: Source
    help: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()
    contract: bool = False

    @property
    def full_name(self) -> str:
        """The name as Prometheus knows it."""
        return PREFIX + self.name

    def counter(self) -> Counter:
        """Make the instrument of this process."""
        return Counter(self.full_name, self.help, self.labels)

    def gauge(self) -> Gauge:
        """Make the instrument of this process."""
        return Gauge(self.full_name, self.help, self.labels)

    def histogram(self) -> Histogram:
        """Make the instrument of this process."""
        buckets = self.buckets or Histogram.DEFAULT_BUCKETS
        return Histogram(self.full_name, self.help, self.labels, buckets=buckets)


Value = tuple[Labels, float]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's state: how many were at most each bound of its metric, how many altogether, and their sum."""

    within: tuple[int, ...]
    count: int
    total: float


def family(metric: Metric, values: Iterable[Value]) -> Family:
    """Return the samples of a counter or gauge that was computed elsewhere, with the labels in their order."""
    make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    made: CounterMetricFamily | GaugeMetricFamily = make(metric.full_name, metric.help, labels=metric.labels)
    for labels, value in values:
        made.add_metric(labels, value)
    return made


def _written(bound: float) -> str:
    """Write a bound as the library does, so that both kinds of histograms have the same."""
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text


def histogram_family(metric: Metric, values: Iterable[tuple[Labels, Distribution]]) -> HistogramMetricFamily:
    """Return the samples of a histogram that was computed elsewhere."""
    made = HistogramMetricFamily(metric.full_name, metric.help, labels=metric.labels)
    for labels, found in values:
        bounds = [(_written(bound), float(n)) for bound, n in zip(metric.buckets, found.within, strict=True)]
        made.add_metric(labels, [*bounds, ("+Inf", float(found.count))], found.total)
    return made
