"""Which HTTP request asks for something, so that what comes of it can be found in every process's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


def request_id_of(request: HttpRequest | Request) -> str | None:
    """Return the id that the answer carries too, as X-Request-ID; None where no middleware gave one."""
    return getattr(request, "request_id", None)
