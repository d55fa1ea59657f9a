"""The addresses that orchestrators and the SDKs ask; none needs a key and none tells a secret."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mongoclaw_project import __version__
from mongoclaw_project.config import current
from mongoclaw_project.health.component import Component, check
from mongoclaw_project.health.probes import all_probes

_INDISPENSABLE: Final = frozenset({"mongodb", "database"})


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  # Django's signature, here and below
    """Say at once that the web server runs, and what was wrong with the others a moment ago; always 200."""
    seen = [component for probe in all_probes() if (component := probe.last()) is not None]
    reasons = [f"{component.name}: {component.error}" for component in seen if not component.is_healthy]
    return JsonResponse({"status": "degraded", "reasons": reasons} if reasons else {"status": "healthy"})


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Say that the process need not be restarted."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Say whether work gets done: 200, or 503 with the reason: a server, all processes of a kind, a stream.

    It tells of the whole fleet. Whoever balances load between web servers, or restarts them, asks `/health/live`.
    """
    components = check(all_probes())
    is_ready = all(component.is_healthy for component in components)
    body = {"status": "ready" if is_ready else "not_ready", "checks": _by_name(components)}
    return JsonResponse(body, status=HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@never_cache
@require_safe
def detailed(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Describe every component; always 200, the answer is in `status`."""
    components = check(all_probes())
    return JsonResponse(
        {
            "status": overall(components),
            "version": __version__,
            "environment": current().environment.value,
            "components": _by_name(components),
        }
    )


@require_safe
def version(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Say what runs here."""
    return JsonResponse({"version": __version__, "name": "mongoclaw"})


def overall(components: tuple[Component, ...]) -> str:
    """`unhealthy` without MongoDB or SQL, `degraded` while another component is down, else `healthy`."""
    down = {component.name for component in components if not component.is_healthy}
    if down & _INDISPENSABLE:
        return "unhealthy"
    return "degraded" if down else "healthy"


def _by_name(components: tuple[Component, ...]) -> dict[str, Any]:
    return {component.name: component.as_json() for component in components}
