"""Opening a stream as early as the server still can."""

from __future__ import annotations

from typing import Any

import structlog
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from watcher.reading.cluster import oldest_entry, time_of
from watcher.reading.detail import Asking
from watcher.reading.pipeline import Stage
from watcher.reading.position import Position
from watcher.reading.recovery import HISTORY_LOST
from watcher.reading.starting import Reach, later_start
from watcher.reading.stream import ChangeStream, StartPoint

log = structlog.get_logger(__name__)

Document = dict[str, Any]


def open_stream(
    stream: ChangeStream,
    pipeline: list[Stage],
    wanted: StartPoint,
    asking: Asking,
    *,
    client: MongoClient[Document],
    position: Position | None,
    is_certain: bool,
) -> tuple[StartPoint, int | None]:
    """Open at `wanted`, or where history is lost as little later as there is.

    Returns where it was opened and the server's code if that is later. `is_certain` lets the server be believed
    whose oplog seems to hold what it says is lost. Raises pymongo's errors.
    """
    start, code = wanted, None
    while True:
        try:
            stream.open(pipeline, start, asking)
        except OperationFailure as error:
            if error.code not in HISTORY_LOST:
                raise
            reach = Reach(oldest_entry(client), time_of(client))
            later = later_start(start, position, reach, is_certain=is_certain)
            log.warning("stream.start_refused", start=str(start), code=error.code, later=str(later))
            if later is None:
                raise
            start, code = later, error.code
        else:
            return start, code
