"""The forms in which the console answers: pieces of the page, never a whole one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

MARK: Final = "X-Console"
"""Says that an answer is a piece for the page, so that the page puts in no error of somebody else's."""

DONE: Final = "console:done"
"""The event by which the page closes its question and asks all panels anew."""


def fragment(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = HTTPStatus.OK
) -> HttpResponse:
    """Render a piece of the page."""
    answer = render(request, f"console/{template}", dict(context), status=status)
    answer[MARK] = "fragment"
    return answer


def told(request: HttpRequest, *lines: tuple[str, str], status: int = HTTPStatus.OK) -> HttpResponse:
    """Answer an action with messages, each a kind (`success`, `warning`, `error`) and a text."""
    answer = fragment(request, "messages.html", {"told": lines}, status=status)
    answer["HX-Trigger"] = json.dumps({DONE: {}})
    return answer


def refused(request: HttpRequest) -> HttpResponse:
    """Say that the user lacks the permission."""
    context = {"reason": "You have not the permission for this. Whoever manages users can give it."}
    return fragment(request, "trouble.html", context, status=HTTPStatus.FORBIDDEN)


def no_session() -> HttpResponse:
    """Send a page whose session has ended to the login."""
    answer = HttpResponse(status=HTTPStatus.UNAUTHORIZED)
    answer["HX-Redirect"] = redirect_to_login(reverse("console:page")).url
    return answer
