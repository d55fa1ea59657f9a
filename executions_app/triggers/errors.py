"""Why an agent is not triggered."""

from __future__ import annotations

from typing import ClassVar

from agents_app.errors import Decision, MongoClawError


class TriggerRefused(MongoClawError):
    """The agent cannot be triggered as it is."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "trigger_refused"


class DocumentNotFound(MongoClawError):
    """There is no such document in the agent's collection."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "trigger_document_not_found"


class DocumentAmbiguous(MongoClawError):
    """Two documents have this `_id`, one as text and one as ObjectId."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "trigger_document_ambiguous"


class KeyReused(MongoClawError):
    """This Idempotency-Key was given before, with another body; give each request its own."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "idempotency_key_reused"
