"""Try an agent on a document: prompt, answer, policy and the update that would be made. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from agents_app.errors import MongoClawError
from agents_app.models import Agent, AgentVersion
from agents_app.spec import ConsistencyMode
from agents_app.version_text import text_of
from enrichment.extended_json import extended_text
from enrichment.providers import ModelReply, route
from enrichment.trial import Outcome, Rendering, follow, render
from executions_app.cost import cost_text
from executions_app.identity import display_key
from executions_app.provider_config import provider_config
from executions_app.studio.asking import NotFromHere, ask, refuse_litellm
from executions_app.studio.trial_form import BY_ID, PASTED, TrialForm

TEMPLATE = "admin/studio/trial.html"


@dataclass(frozen=True, slots=True)
class Trial:
    """How far it came: rendered, and, if that was asked for, answered. `fault` is what stopped it."""

    document: str
    rendering: Rendering | None = None
    reply: ModelReply | None = None
    outcome: Outcome | None = None
    fault: str = ""

    @property
    def cost(self) -> str:
        """What the call cost."""
        return cost_text(self.reply.cost_nanousd) if self.reply else ""

    @property
    def answer(self) -> str:
        """The answer as JSON."""
        answer = self.outcome.answer if self.outcome else None
        return extended_text(answer.value) if answer else ""

    @property
    def update(self) -> str:
        """The update as Extended JSON."""
        plan = self.outcome.plan if self.outcome else None
        return extended_text(plan.update) if plan else ""


def try_agent(request: HttpRequest) -> HttpResponse:
    """Serve the page to those who may change agents. A model is called only when that was asked for."""
    if not request.user.has_perm("agents_app.change_agent"):
        raise PermissionDenied
    # The editor of an agent sends its text here without having chosen a document yet.
    form = TrialForm(request.POST) if "source" in request.POST else TrialForm(initial=_start(request))
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Try on a document", "form": form}
    if form.is_bound and form.is_valid():
        context |= _tried(request, form)
    return TemplateResponse(request, TEMPLATE, context)


def _start(request: HttpRequest) -> dict[str, Any]:
    if request.method == "POST":
        seen = request.POST.get("seen_revision")
        return {"specification": request.POST.get("specification", ""), "seen_revision": seen}
    version_id = request.GET.get("version", "")
    if version_id.isdecimal():
        version = get_object_or_404(AgentVersion, pk=int(version_id))
    else:
        agent = get_object_or_404(Agent, pk=request.GET.get("agent", ""), archived_at=None)
        version = get_object_or_404(AgentVersion, pk=agent.current_version_id)
    text = text_of(version.pk)
    return {"specification": text, "seen_revision": version.agent.revision}


def _tried(request: HttpRequest, form: TrialForm) -> dict[str, Any]:
    spec, agent, config = form.spec, form.agent, provider_config()
    trial = _try(form, by=request.user.get_username(), call="call" in request.POST)
    again = dict(form.cleaned_data)
    if again.get("source") != PASTED:
        # What is called for is the document whose prompt was looked at, not one that has come since.
        again["source"], again["document_id"] = BY_ID, display_key(form.document["_id"])
    try:
        refuse_litellm(spec, config)
        not_from_here = ""
    except NotFromHere as error:
        not_from_here = str(error)
    return {
        "form": TrialForm(initial=again),
        "spec": spec,
        "agent": agent,
        "trial": trial,
        "is_sandbox": route(spec.ai, config) == "sandbox",
        "is_shadow": spec.execution.consistency_mode is ConsistencyMode.SHADOW,
        "not_from_here": not_from_here,
        "place": ".".join(spec.target_namespace),
    }


def _try(form: TrialForm, *, by: str, call: bool) -> Trial:
    spec, document, now = form.spec, form.document, datetime.now(UTC)
    shown = extended_text(document)
    rendering: Rendering | None = None
    reply: ModelReply | None = None
    try:
        rendering = render(spec, document, now=now)
        if not call:
            return Trial(shown, rendering)
        reply = ask(spec, rendering.prompts, provider_config(), by=by)
        return Trial(shown, rendering, reply, follow(spec, document, rendering.prompts, reply, now=now))
    except MongoClawError as error:
        return Trial(shown, rendering, reply or getattr(error, "reply", None), fault=str(error))
