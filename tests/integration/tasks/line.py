"""An agent's way from the change stream over the ledger to its runs, in the test's hand."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from agents_app import registry
from agents_app.spec import AgentSpec
from executions_app.models import Attempt, Execution
from executions_app.routing import Outbound
from tasks.enrich import run_execution
from tests.integration.tasks.conftest import Bench
from watcher.matching.matcher import Matcher
from watcher.reading.event import ChangeEvent
from watcher.reading.pipeline import build_pipeline
from watcher.reading.stream import ChangeStream, StartPoint
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import Pressure, PressurePolicy
from watcher.sending.windows import Windows


class Outbox:
    """Takes the place of the broker's connection: the test runs what is sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def publish(self, rows: Sequence[Outbound], *, ahead: Collection[str] = ()) -> None:
        self.sent += [row.id for row in rows]

    def queue_of(self, spec: AgentSpec) -> str:  # the publisher's signature
        """Name the one queue."""
        return "mongoclaw"


class Line:
    """An agent's way from the stream to its runs, in the test's hand."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.outbox = Outbox()
        self.unhealthy: dict[str, str] = {}
        self.agents = registry.active_agents()
        runtime = bench.runtime
        self.stream = ChangeStream(runtime.mongo, bench.db.name, max_await_ms=200)
        self.stream.open(build_pipeline(self.agents), StartPoint())
        self.matcher = Matcher(
            runtime.mongo, self.agents, self.unhealthy.__setitem__, monotonic=runtime.monotonic
        )
        self.ingest = Ingest(
            self.outbox,  # type: ignore[arg-type]
            windows=Windows(10_000, 10_000.0),
            pressure=Pressure(PressurePolicy(), time.monotonic),
            unhealthy=self.unhealthy.__setitem__,
            now=runtime.now,
            monotonic=runtime.monotonic,
        )

    def take(self, wanted: int) -> list[ChangeEvent]:
        """Put this many events on record, all in one go."""
        events: list[ChangeEvent] = []
        for _ in range(100):
            events += self.stream.next_batch().events
            if len(events) >= wanted:
                break
        assert len(events) == wanted, events
        self.ingest.ingest(self.matcher, events)
        return events

    def run(self) -> list[Execution]:
        """Run once each of what was sent, in order."""
        ids, self.outbox.sent = self.outbox.sent, []
        for id_ in ids:
            run_execution(self.bench.runtime, id_)
        return [Execution.objects.get(id=id_) for id_ in ids]

    def prompts(self) -> list[str]:
        """What the model was asked, in order."""
        return list(Attempt.objects.order_by("id").values_list("prompt", flat=True))
