"""What can be done from the console: each action is asked about first, and answers with what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agents_app.errors import MongoClawError
from executions_app.console import letter_actions, pausing, switching
from executions_app.console.answers import fragment, no_session, refused, told
from executions_app.console.question import Choice, Question
from executions_app.console.viewer import DISCARD, OPERATE, REQUEUE, Viewer, viewer_of
from executions_app.text import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action: the permission that it needs, its question, and how it is done.

    Both may raise MongoClawError: what was chosen is not there, or not any more.
    """

    needs: str
    ask: Callable[[Viewer, Choice], Question]
    do: Callable[[Any, Choice, datetime], tuple[tuple[str, str], ...]]


ACTIONS: Final[Mapping[str, Action]] = {
    "requeue": Action(needs=REQUEUE, ask=letter_actions.ask_requeue, do=letter_actions.requeue),
    "discard": Action(needs=DISCARD, ask=letter_actions.ask_discard, do=letter_actions.discard),
    "enable": Action(needs=OPERATE, ask=switching.ask_enable, do=switching.enable),
    "disable": Action(needs=OPERATE, ask=switching.ask_disable, do=switching.disable),
    "pause": Action(needs=OPERATE, ask=pausing.ask_pause, do=pausing.pause),
    "resume": Action(needs=OPERATE, ask=pausing.ask_resume, do=pausing.resume),
    "pause-all": Action(needs=OPERATE, ask=pausing.ask_pause_all, do=pausing.pause_all),
    "resume-all": Action(needs=OPERATE, ask=pausing.ask_resume_all, do=pausing.resume_all),
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def action(request: HttpRequest, name: str) -> HttpResponse:
    """Ask about an action (GET), or do it (POST)."""
    if not request.user.is_authenticated:
        return no_session()
    found = ACTIONS.get(name)
    if found is None:
        raise Http404
    viewer = viewer_of(request.user)
    if not viewer.may(found.needs):
        return refused(request)
    given = request.POST if request.method == "POST" else request.GET
    choice = Choice({key: storable(str(text)) for key, text in given.items()})
    try:
        question = found.ask(viewer, choice)
        if request.method == "POST":
            return told(request, *found.do(request.user, choice, datetime.now(UTC)))
    except MongoClawError as error:
        return _sorry(request, error)
    return fragment(request, "question.html", {"question": question, "action": name, "choice": choice})


def _sorry(request: HttpRequest, error: MongoClawError) -> HttpResponse:
    """Say why there is nothing to ask about, in the dialog, or why nothing was done, as a message."""
    if request.method == "POST":
        return told(request, ("error", str(error)), status=HTTPStatus.CONFLICT)
    return fragment(request, "trouble.html", {"reason": str(error)}, status=HTTPStatus.NOT_FOUND)
