"""How large a request may be, asked before it is read."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request

from agents_app.errors import Decision, MongoClawError


class BodyTooLarge(MongoClawError):
    """The body is too large."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "body_too_large"


def refuse_larger(request: Request, most: int, *, remedy: str = "send less at a time") -> None:
    """Raise BodyTooLarge for a body of more than `most` bytes; the web server reads no more than is announced."""
    try:
        announced = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        announced = 0
    if announced > most:
        raise BodyTooLarge(f"The body has {announced:,} bytes, and {most:,} are taken at most: {remedy}")
