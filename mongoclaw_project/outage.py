"""A database that is away: told apart from errors of ours, and answered alike wherever it is met.

Whoever asked is told to ask again. Nothing is half done: what a request writes to SQL is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from pymongo.errors import PyMongoError

log = structlog.get_logger(__name__)

SQL: Final = "The SQL database cannot be asked now"
MONGODB: Final = "MongoDB cannot be asked now"

_STATUS: Final = HTTPStatus.SERVICE_UNAVAILABLE
_HEADERS: Final = MappingProxyType({"Retry-After": "5"})
_FOR_PEOPLE: Final = ("/admin/", "/ui/")
_SQLITE_MISTAKE: Final = 1
_POSTGRESQL_TOO_COMPLEX: Final = "54"


class Outages:
    """Answers 503 where a view, one of the API's or a page, meets a database that is away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a view's error if a database is away; all else is left to Django.

        The line that is logged has no words of the driver's: they name hosts and users.
        """
        told = MONGODB if isinstance(error, PyMongoError) else SQL if _is_away(error) else None
        if told is None:
            return None
        cause = error.__cause__ or error
        log.warning("http.outage", reason=told, error=type(cause).__name__, code=_code(cause))
        answer = _answer(request, told)
        answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  # Django's own way to say so
        return answer


def _answer(request: HttpRequest, told: str) -> HttpResponse:
    if not request.path.startswith(_FOR_PEOPLE):
        return JsonResponse({"detail": told}, status=_STATUS, headers=_HEADERS)
    # Without the request: a template that is told of the user would ask SQL for it.
    page = render_to_string("503.html", {"told": told, "may_repeat": request.method == "GET"})
    return HttpResponse(page, status=_STATUS, headers=_HEADERS)


def _is_away(error: Exception) -> bool:
    """Tell an outage, a lock included, from a statement that cannot be right and would never be."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    code = _code(error.__cause__)
    if isinstance(code, int):
        return code & 0xFF != _SQLITE_MISTAKE
    return code is None or not code.startswith(_POSTGRESQL_TOO_COMPLEX)


def _code(cause: BaseException | None) -> int | str | None:
    """Return the driver's code of an error: SQLite's number or PostgreSQL's state."""
    code: int | str | None = getattr(cause, "sqlite_errorcode", None) or getattr(cause, "sqlstate", None)
    return code
