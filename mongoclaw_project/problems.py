"""What the web server answers when it cannot: JSON for programs, Django's page for people."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import is_valid_path
from django.utils.encoding import escape_uri_path
from django.views import defaults


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400."""
    return _answer(request, HTTPStatus.BAD_REQUEST) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403."""
    return _answer(request, HTTPStatus.FORBIDDEN) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404, or lead to the address without the slash at its end, as MongoClaw 1.0.4 does."""
    return (
        _without_slash(request)
        or _answer(request, HTTPStatus.NOT_FOUND)
        or defaults.page_not_found(request, exception)
    )


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500, in the shape of the HTTP API, without telling what went wrong inside."""
    if _is_for_people(request):
        return defaults.server_error(request)
    return JsonResponse(
        {
            "error": "InternalServerError",
            "message": "Something went wrong here; the log tells what, under this X-Request-ID.",
            "path": request.path,
        },
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def _without_slash(request: HttpRequest) -> HttpResponse | None:
    path = request.path.rstrip("/")
    if path == request.path or is_valid_path(request.path) or not is_valid_path(path):
        return None
    query = request.META.get("QUERY_STRING", "")
    address = escape_uri_path(path) + (f"?{query}" if query else "")
    return HttpResponseRedirect(address, preserve_request=True)


def _answer(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    if _is_for_people(request):
        return None
    return JsonResponse({"detail": status.phrase}, status=status)


def _is_for_people(request: HttpRequest) -> bool:
    if request.path.startswith(("/health", "/api/", "/version")):
        return False
    return request.path.startswith(("/admin/", "/ui")) or "text/html" in request.headers.get("Accept", "")
