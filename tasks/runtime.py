"""What every run of one worker process shares."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from pymongo import MongoClient

from enrichment.providers import ProviderConfig
from enrichment.writeback import DOCUMENT_CODEC
from tasks.gate import Gate

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Clients, clocks and limits of a worker process. Built once per process, after any fork."""

    worker_id: str
    mongo: MongoClient[Document]
    providers: ProviderConfig
    gate: Gate
    stopping: threading.Event = field(default_factory=threading.Event)
    codec: CodecOptions[Document] = DOCUMENT_CODEC
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    uniform: Callable[[float, float], float] = field(default_factory=lambda: random.SystemRandom().uniform)
