"""The ledger's tables."""

from __future__ import annotations

from executions_app.models.backfill import Backfill, BackfillRange, BackfillStatus
from executions_app.models.dead_letter import DeadRun, Discard, Requeue, StrayMessage
from executions_app.models.delivery import Delivery
from executions_app.models.execution import Attempt, Execution
from executions_app.models.gap import GapKind, GapStatus, StreamGap
from executions_app.models.hold import Hold
from executions_app.models.intervention import Intervention, InterventionKind
from executions_app.models.leadership import Leadership
from executions_app.models.notification import Alarm, Notification, NotificationCursor
from executions_app.models.tally import AgentTotal, HourTally, ModelTotal, TallyCursor
from executions_app.models.trigger import TriggerKey
from executions_app.models.worker import WorkerProcess

__all__ = [
    "AgentTotal",
    "Alarm",
    "Attempt",
    "Backfill",
    "BackfillRange",
    "BackfillStatus",
    "DeadRun",
    "Delivery",
    "Discard",
    "Execution",
    "GapKind",
    "GapStatus",
    "Hold",
    "HourTally",
    "Intervention",
    "InterventionKind",
    "Leadership",
    "ModelTotal",
    "Notification",
    "NotificationCursor",
    "Requeue",
    "StrayMessage",
    "StreamGap",
    "TallyCursor",
    "TriggerKey",
    "WorkerProcess",
]
