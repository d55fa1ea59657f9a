"""A run in a worker's hands, and how it may end there: settled for good, or put off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bson import Timestamp

from executions_app.states import Reason, Status


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker now runs, with what the run needs to know of it."""

    id: str
    agent_id: str
    version_id: int
    database: str
    collection: str
    document_key: str
    operation: str
    cascade: bool
    event_time: Timestamp
    claim: int
    attempts: int
    deferrals: int
    predecessor: str
    subject: str
    request_id: str | None
    due_at: datetime
    created_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a run ended for good."""

    status: Status
    reason: str
    written: bool = False
    input_hash: str = ""
    model_calls: int = 0
    tokens_used: int = 0
    cost_nanousd: int | None = None
    error_type: str = ""
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """Why a run waits, until when, and whether that burns an attempt."""

    reason: str
    due_at: datetime
    burns_attempt: bool = False
    model_calls: int = 0
    tokens_used: int = 0
    cost_nanousd: int | None = None
    error_type: str = ""
    error: str = ""
    traceback: str = ""

    @property
    def is_deferral(self) -> bool:
        """Whether it is one of the waits that grow longer. A held row goes round each second, which says nothing."""
        return not self.burns_attempt and self.reason != Reason.HELD
