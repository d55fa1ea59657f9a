"""The instruments of a watcher."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.declared import streams

STREAM_LAG: Final = streams.LAG.gauge()
STREAM_BUSY: Final = streams.BUSY.gauge()
POSITION_AGE: Final = streams.POSITION_AGE.gauge()
OPLOG_WINDOW: Final = streams.OPLOG_WINDOW.gauge()
TIME_TO_HISTORY_LOST: Final = streams.TIME_TO_HISTORY_LOST.gauge()
EVENTS: Final = streams.EVENTS.counter()
CHANGES: Final = streams.CHANGES.counter()
ROWS: Final = streams.ROWS.counter()
ADMISSION: Final = streams.ADMISSION.counter()
ROUTED: Final = streams.ROUTED.counter()
STARVATION: Final = streams.STARVATION.counter()
SATURATION: Final = streams.SATURATION.counter()
PUBLISH_SECONDS: Final = streams.PUBLISH_SECONDS.histogram()
COMMIT_TO_BROKER_SECONDS: Final = streams.COMMIT_TO_BROKER.histogram()
GAPS: Final = streams.GAPS.counter()
LEASE_TERM: Final = streams.LEASE_TERM.gauge()
REOPENS: Final = streams.REOPENS.counter()
COLLECTION_EVENTS: Final = streams.COLLECTION_EVENTS.counter()
POSITION_WRITES: Final = streams.POSITION_WRITES.counter()
BACKFILL_DOCUMENTS: Final = streams.BACKFILL_DOCUMENTS.counter()
