"""Requests with an Idempotency-Key: the same key is the same document, the same run and the same answer.

What a request stands for is fixed before MongoDB is asked, and what it was answered with is put on record with the
run, in one transaction. So whoever is cut off anywhere, and asks again, goes on where the first request ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from bson import ObjectId

from executions_app.database import write_turn
from executions_app.forgetting import forget_oldest
from executions_app.models import TriggerKey
from executions_app.triggers.errors import KeyReused

KEPT: Final = timedelta(days=7)
"""A key that is older may be used for something else."""


class Answered(Exception):
    """The same request was answered meanwhile: nothing is to be recorded."""

    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self.execution_id = execution_id


@dataclass(frozen=True, slots=True)
class Request:
    """What names the document and the run of a request: 32 hexadecimal digits, and when it was made first.

    `key_id` is that of the key on record, or empty. `execution_id` is the run that it was answered with, if it was.
    """

    mark: str
    made_at: datetime
    key_id: str = ""
    execution_id: str = ""

    @property
    def token(self) -> str:
        """What the run's id is made of."""
        return f"{self._second}:trigger:{self.mark}"

    @property
    def new_id(self) -> ObjectId:
        """The `_id` of a document that has none."""
        return ObjectId(f"{self._second}{self.mark[:16]}")

    @property
    def _second(self) -> str:
        return f"{int(self.made_at.timestamp()):08x}"


def reserve(agent_id: str, key: str, digest: str, *, now: datetime) -> Request:
    """Take a key for a request, or return what it was taken for. Raises KeyReused for another request."""
    id_ = blake2b(f"{agent_id}\0{key}".encode(), digest_size=16).hexdigest()
    with write_turn():
        row, _ = TriggerKey.objects.get_or_create(
            id=id_, defaults={"agent_id": agent_id, "digest": digest, "created_at": now}
        )
    if row.digest != digest:
        raise KeyReused
    return Request(id_, row.created_at, key_id=id_, execution_id=row.execution_id)


def answer(request: Request, execution_id: str) -> None:
    """Put on record, in the transaction of the run, what the request is answered with. Raises Answered."""
    if not request.key_id:
        return
    known = TriggerKey.objects.select_for_update().filter(id=request.key_id)
    before = known.values_list("execution_id", flat=True).first()
    if before:
        raise Answered(before)
    known.update(execution_id=execution_id)


def forget(*, now: datetime) -> int:
    """Delete keys that are old, so many at a time; returns how many."""
    old = TriggerKey.objects.filter(created_at__lt=now - KEPT).order_by("created_at")
    return forget_oldest(old)
