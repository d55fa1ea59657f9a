"""Agents in Django's admin: written as YAML, published as versions, switched on and off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from agents_app import publish as publishing
from agents_app.check_view import check_view
from agents_app.checking import check_agent
from agents_app.diff_markup import differences
from agents_app.errors import AgentExists
from agents_app.examples import example, examples
from agents_app.forms import AgentForm
from agents_app.models import Agent
from agents_app.policy_admin import PolicyAdmin
from agents_app.published_text_admin import PublishedTextAdmin
from agents_app.registry import readable
from agents_app.version_admin import AgentVersionAdmin
from agents_app.version_text import text_of

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

__all__ = ["AgentAdmin", "AgentVersionAdmin", "PolicyAdmin"]

SHOWN_VERSIONS = 10


@admin.register(Agent)
class AgentAdmin(PublishedTextAdmin):
    """Agents that are not archived."""

    form = AgentForm
    list_display = ("id", "name", "enabled", "health", "version", "namespace", "asked_model", "updated_at")
    list_filter = ("enabled", "health")
    list_select_related = ("current_version",)
    search_fields = ("id", "name", "description")
    list_per_page = 50
    actions = ("enable", "disable", "delete_selected")
    readonly_fields = (
        "specification_text",
        "enabled",
        "health",
        "health_reason",
        "enabled_at",
        "updated_at",
        "versions",
    )
    text = "specification_text"
    state = (
        "State",
        {"fields": ("enabled", "health", "health_reason", "enabled_at", "updated_at", "versions")},
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may switch agents on and off."""
        return bool(request.user.has_perm("agents_app.operate_agent"))

    def get_urls(self) -> list[URLPattern]:
        """Add the address that checks a text."""
        check = path("check/", check_view(self, check_agent), name="agents_app_agent_check")
        return [check, *super().get_urls()]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a new agent from the example that was chosen."""
        chosen = example(request.GET.get("example", ""))
        return {} if chosen is None else {"specification": chosen.text}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what would change before it is published; offer examples for a new agent.

        Answers in words if another person creates the same agent at the same moment.
        """
        offered = {"examples": examples()} if object_id is None else {"has_policy": _has_policy(object_id)}
        try:
            review = self._review(request, object_id)
            return review or super().changeform_view(
                request, object_id, form_url, {**offered, **(extra_context or {})}
            )
        except AgentExists as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Publish what the text says. It has passed the checks already."""
        by = request.user.get_username()
        result = publishing.publish(form.parsed, by=by, now=datetime.now(UTC), must_be_new=not change)
        self.tell_published(request, result.version.number, created=result.created)
        for warning in result.warnings:
            self.message_user(request, f"Warning: {warning}", messages.WARNING)
        obj.pk = result.agent.pk
        obj.refresh_from_db()

    @admin.action(description="Enable selected agents", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        """Switch agents on; they answer to changes from now on."""
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable selected agents", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        """Switch agents off."""
        self._switch(request, queryset, enabled=False)

    @admin.action(description="Delete selected agents", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Agent]) -> HttpResponse | None:
        """Archive agents, after asking."""
        return delete_selected(self, request, queryset)

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:  # noqa: ARG002
        """Archive the agent."""
        publishing.archive(obj.pk, now=datetime.now(UTC))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:  # noqa: ARG002
        """Archive all of the agents or none."""
        with transaction.atomic():
            for agent_id in queryset.order_by("pk").values_list("pk", flat=True):
                publishing.archive(agent_id, now=datetime.now(UTC))

    @admin.display(description="watches")
    def namespace(self, agent: Agent) -> str:
        """Database and collection."""
        spec = readable(agent.current_version_id)
        return ".".join(spec.watch_namespace) if spec else ""

    @admin.display(description="model")
    def asked_model(self, agent: Agent) -> str:
        """The model that is asked."""
        spec = readable(agent.current_version_id)
        return spec.ai.model if spec else ""

    @admin.display(description="specification")
    def specification_text(self, agent: Agent) -> SafeString | str:
        """The current version as YAML."""
        if agent.current_version_id is None:
            return ""
        text = text_of(agent.current_version_id, filled=True)
        return format_html('<pre class="mc-yaml">{}</pre>', text)

    @admin.display(description="versions")
    def versions(self, agent: Agent) -> SafeString:
        """The latest versions, each with a link to its text and its changes."""
        latest = agent.versions.defer("spec").order_by("-number")[:SHOWN_VERSIONS]
        rows = (
            (
                reverse("admin:agents_app_agentversion_change", args=(version.pk,)),
                version.number,
                " (current)" if version.pk == agent.current_version_id else "",
                version.published_by,
                f"{version.created_at:%Y-%m-%d %H:%M}",
                f": {version.note}" if version.note else "",
            )
            for version in latest
        )
        listed = format_html_join("", '<li><a href="{}">Version {}</a>{} by {} on {} UTC{}</li>', rows)
        everything = reverse("admin:agents_app_agentversion_changelist") + f"?agent__id__exact={agent.pk}"
        return format_html('<ul class="mc-versions">{}</ul><a href="{}">All versions</a>', listed, everything)

    def _review(self, request: HttpRequest, object_id: str | None) -> HttpResponse | None:
        """Ask by showing the change, the text still in the editor; None where nothing is to be asked."""
        agent = (
            self.get_object(request, unquote(object_id)) if object_id and request.method == "POST" else None
        )
        if agent is None or not self.has_change_permission(request, agent):
            return None
        with transaction.atomic():
            form = AgentForm(request.POST, instance=agent)
            if not form.is_valid() or not form.must_be_reviewed:
                return None
            asked = request.POST.copy()
            asked["reviewed"] = form.change_name
            context = {
                **self.admin_site.each_context(request),
                "title": f"Publish this change of {agent}?",
                "opts": self.opts,
                "original": agent,
                "changes": differences(*form.change),
                "warnings": form.parsed.warnings,
                "form": AgentForm(asked, instance=agent),
                "media": self.media + form.media,
            }
        return TemplateResponse(request, "admin/agents_app/agent/review.html", context)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Agent], *, enabled: bool) -> None:
        word = "Enabled" if enabled else "Disabled"
        to_change = list(queryset.filter(enabled=not enabled))
        for agent in to_change:
            publishing.set_enabled(agent.pk, enabled, now=datetime.now(UTC))
            self.log_change(request, agent, f"{word}.")
        if to_change:
            names = ", ".join(sorted(agent.pk for agent in to_change))
            self.message_user(request, f"{word}: {names}.", messages.SUCCESS)
        left = queryset.count() - len(to_change)
        if left > 0:
            self.message_user(request, f"Left as they were, {word.lower()} already: {left}.", messages.INFO)


def _has_policy(object_id: str) -> bool:
    agent = Agent.objects.filter(pk=unquote(object_id)).first()
    spec = readable(agent.current_version_id) if agent else None
    return spec is not None and spec.policy is not None
