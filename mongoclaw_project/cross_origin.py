"""Which pages of other origins may read the answers meant for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from mongoclaw_project.config import current

_FOR_PEOPLE: Final = ("/admin/", "/static/", "/ui/")
_PREFLIGHT_SECONDS: Final = 600


class CrossOrigin:
    """Adds CORS headers for the origins of `api.cors_origins` and answers their preflight requests.

    Only a listed origin may send credentials: with `*` that would let every page act as the user. Admin
    and console are never opened to another origin.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        origin = request.headers.get("Origin")
        if origin is None or request.path.startswith(_FOR_PEOPLE):
            return self.get_response(request)
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if preflight else self.get_response(request)
        if _allow(response, origin) and preflight:
            _describe(response, request)
        return response


def _allow(response: HttpResponse, origin: str) -> bool:
    allowed = current().api.cors_origins
    patch_vary_headers(response, ("Origin",))
    if origin in allowed:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
    elif "*" in allowed:
        response["Access-Control-Allow-Origin"] = "*"
    else:
        return False
    response["Access-Control-Expose-Headers"] = "X-Request-ID"
    return True


def _describe(response: HttpResponse, request: HttpRequest) -> None:
    response["Access-Control-Allow-Methods"] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    response["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    asked = request.headers.get("Access-Control-Request-Headers")
    if asked:
        response["Access-Control-Allow-Headers"] = asked
