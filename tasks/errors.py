"""Failures that belong to the run itself rather than to a provider, a prompt or a database."""

from __future__ import annotations

from typing import ClassVar

from agents_app.errors import Decision, MongoClawError


class RunDeadlineExceeded(MongoClawError):
    """The run took longer than execution.timeout_seconds."""

    decision: ClassVar[Decision] = Decision.RETRY
    code: ClassVar[str] = "run_deadline"


class UnexpectedFailure(MongoClawError):
    """The run failed in a way that MongoClaw does not know; see the traceback."""

    decision: ClassVar[Decision] = Decision.RETRY
    code: ClassVar[str] = "pipeline_error"


class FilterNotEvaluated(MongoClawError):
    """MongoDB could not evaluate watch.filter on this document."""

    decision: ClassVar[Decision] = Decision.DEAD
    code: ClassVar[str] = "filter_error"


class ImageMissing(MongoClawError):
    """MongoDB has no image of the document as the agent requires it: see `mongoclaw images`."""

    decision: ClassVar[Decision] = Decision.DEAD
    code: ClassVar[str] = "image_missing"


class InputChanged(MongoClawError):
    """The document changed while the model was asked; execution.on_conflict is rerun, so it is asked again."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "input_changed"


class LedgerUnreachable(MongoClawError):
    """The SQL database could not be reached or was locked for too long."""

    decision: ClassVar[Decision] = Decision.DEFER
    code: ClassVar[str] = "ledger_unreachable"
