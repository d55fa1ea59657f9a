"""Going back to an earlier version of an agent: asked about with the difference, then published again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from agents_app import publish as publishing
from agents_app.diff_markup import differences
from agents_app.errors import AgentChanged, AgentNotFound, SpecInvalid
from agents_app.models import Agent, AgentVersion
from agents_app.policy_use import resolve
from agents_app.publish_hooks import checks
from agents_app.spec import ParsedSpec, dump_filled_yaml, parse_spec
from agents_app.version_text import text_of


def restore_view(of: admin.ModelAdmin[Any]) -> Callable[..., HttpResponse]:
    """Return the page for one version, for those who may change agents."""

    def view(request: HttpRequest, version_id: int) -> HttpResponse:
        if not request.user.has_perm("agents_app.change_agent"):
            raise PermissionDenied
        version = get_object_or_404(AgentVersion, pk=version_id)
        try:
            agent = publishing.get(version.agent_id)
            parsed = parse_spec(version.spec)
            if request.method == "POST":
                return _restored(of, request, version, parsed)
            return TemplateResponse(
                request,
                "admin/agents_app/agentversion/restore.html",
                _question(of, request, version, agent, parsed),
            )
        except (AgentChanged, AgentNotFound, SpecInvalid) as error:
            of.message_user(request, str(error), messages.ERROR)
            return _back_to(version)

    return view


def _restored(
    of: admin.ModelAdmin[Any], request: HttpRequest, version: AgentVersion, parsed: ParsedSpec
) -> HttpResponse:
    seen = request.POST.get("seen_revision", "")
    result = publishing.publish(
        parsed,
        by=request.user.get_username(),
        now=datetime.now(UTC),
        checks=checks(),
        if_revision=int(seen) if seen.isdecimal() else -1,
    )
    of.log_change(request, result.agent, f"Went back to version {version.number}.")
    of.message_user(request, f"Now current: {result.version}.", messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:agents_app_agent_change", args=(version.agent_id,)))


def _question(
    of: admin.ModelAdmin[Any], request: HttpRequest, version: AgentVersion, agent: Agent, parsed: ParsedSpec
) -> dict[str, Any]:
    resolved = resolve(parsed.spec)
    live = text_of(agent.current_version_id, filled=True) if agent.current_version_id else ""
    return {
        **of.admin_site.each_context(request),
        "title": f"Go back to {version}?",
        "opts": of.opts,
        "version": version,
        "agent": agent,
        "changes": differences(live, dump_filled_yaml(resolved.spec)),
        # A policy that was tightened since stays tight: it is gone back on at the policy.
        "policy_since": resolved.version if resolved.version != version.policy_version else None,
    }


def _back_to(version: AgentVersion) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:agents_app_agentversion_change", args=(version.pk,)))
