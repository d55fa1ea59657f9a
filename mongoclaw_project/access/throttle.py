"""How often one caller may ask the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from mongoclaw_project.access.address import address_of
from mongoclaw_project.access.counting import counter
from mongoclaw_project.access.principal import Principal
from mongoclaw_project.config import current

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports this module


class CallerThrottle(BaseThrottle):
    """So many requests in a window, which begins with the first of them, for each key and each user."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  # the framework's signature
        """Count a request and tell whether it is one too many."""
        settings = current()
        window = settings.api.rate_limit_window_seconds
        counted = counter(settings.redis.url).add(f"rate:{caller_of(request)}", window_seconds=window)
        if counted is None or counted.number <= settings.api.rate_limit_requests:
            return True
        self._wait = counted.seconds_left
        return False

    def wait(self) -> float | None:
        """Give the seconds for `Retry-After`."""
        return self._wait


def caller_of(request: Request) -> str:
    """Tell callers apart: by key, by user, else by address."""
    user: Any = request.user
    if isinstance(user, Principal):
        return user.ident
    return f"user:{user.pk}" if user.is_authenticated else f"address:{address_of(request._request)}"  # noqa: SLF001
