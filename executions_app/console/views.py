"""The page, its panels and a run that was opened: each asks for permission itself."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

import structlog
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from agents_app.errors import MongoClawError
from agents_app.models import Agent
from executions_app.console import run as opening
from executions_app.console.answers import fragment, no_session, refused
from executions_app.console.panel import Asked, Panel
from executions_app.console.panels import PANELS
from executions_app.console.runs import CHOICES
from executions_app.console.viewer import SEE_AGENTS, SEE_RUNS, viewer_of
from executions_app.holds import in_force
from executions_app.queries import ExecutionNotFound

log = structlog.get_logger(__name__)


@never_cache
@ensure_csrf_cookie
@require_safe
def page(request: HttpRequest) -> HttpResponseBase:
    """Show the frame with the panels that the user may see; each fetches itself."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    viewer = viewer_of(request.user)
    shown = [panel for panel in PANELS.values() if viewer.may(panel.needs)]
    is_empty = viewer.may(SEE_AGENTS) and not Agent.objects.filter(archived_at=None).exists()
    context = {
        "panels": shown,
        "is_empty": is_empty,
        "run_choices": CHOICES,
        "overall": in_force().overall if viewer.may(SEE_AGENTS) else None,
        "may_pause_all": viewer.may_pause_all,
        "now": datetime.now(UTC),
        "may_enter_admin": admin.site.has_permission(request),
    }
    return render(request, "console/page.html", context)


@never_cache
@require_safe
def panel(request: HttpRequest, name: str) -> HttpResponse:
    """Show one panel, or why it cannot be shown."""
    if not request.user.is_authenticated:
        return no_session()
    found = PANELS.get(name)
    if found is None:
        raise Http404
    viewer = viewer_of(request.user)
    if not viewer.may(found.needs):
        return refused(request)
    choices = {key: text for key, text in request.GET.items() if isinstance(text, str)}
    return _looked(request, found, Asked(viewer=viewer, now=datetime.now(UTC), choices=choices))


@never_cache
@require_safe
def run(request: HttpRequest, execution_id: str) -> HttpResponse:
    """Open a run in the drawer."""
    if not request.user.is_authenticated:
        return no_session()
    viewer = viewer_of(request.user)
    if not viewer.may(SEE_RUNS):
        return refused(request)
    try:
        opened = opening.look(viewer, execution_id)
    except ExecutionNotFound as error:
        return fragment(request, "trouble.html", {"reason": str(error)}, status=HTTPStatus.NOT_FOUND)
    return fragment(request, "run.html", {"run": opened})


def _looked(request: HttpRequest, found: Panel, asked: Asked) -> HttpResponse:
    try:
        seen = found.look(asked)
    except MongoClawError as error:
        reason = str(error)
    except DatabaseError as error:
        log.warning("console.panel_failed", panel=found.name, error=type(error).__name__)
        reason = f"The SQL database does not answer ({type(error).__name__})."
    else:
        return fragment(request, f"panels/{found.name}.html", {"seen": seen, "now": asked.now})
    return fragment(request, "trouble.html", {"reason": reason})
