"""Agents in Django's admin: written as YAML, published as versions, switched on and off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from agents_app import publish as publishing
from agents_app.errors import AgentExists
from agents_app.forms import AgentForm
from agents_app.models import Agent
from agents_app.registry import spec_of
from agents_app.spec import dump_yaml
from agents_app.version_admin import AgentVersionAdmin

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

__all__ = ["AgentAdmin", "AgentVersionAdmin"]

SHOWN_VERSIONS = 10


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin[Agent]):
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
    _state = (
        "State",
        {"fields": ("enabled", "health", "health_reason", "enabled_at", "updated_at", "versions")},
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        """Leave out archived agents."""
        return super().get_queryset(request).filter(archived_at=None)

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> Any:
        """Show the text as an editor to those who may change it, as text to others."""
        if obj is None:
            return [(None, {"fields": ("specification", "seen_revision")})]
        if self.has_change_permission(request, obj):
            return [(None, {"fields": ("specification", "seen_revision")}), self._state]
        return [(None, {"fields": ("specification_text",)}), self._state]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Answer in words if another person creates the same agent at the same moment."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except AgentExists as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        """Publish what the text says. It has passed the checks already."""
        by = request.user.get_username()
        result = publishing.publish(form.parsed, by=by, now=datetime.now(UTC), must_be_new=not change)
        news = "published" if result.created else "is current; its content had been published before"
        self.message_user(request, f"Version {result.version.number} {news}.", messages.INFO)
        for warning in result.warnings:
            self.message_user(request, f"Warning: {warning}", messages.WARNING)
        obj.pk = result.agent.pk
        obj.refresh_from_db()

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may switch agents on and off."""
        return bool(request.user.has_perm("agents_app.operate_agent"))

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

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:  # noqa: ARG002
        """Name the agents only: archiving takes nothing else along."""
        return [str(agent) for agent in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:  # noqa: ARG002
        """Archive the agent."""
        publishing.archive(obj.pk, now=datetime.now(UTC))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:  # noqa: ARG002
        """Archive all of the agents or none."""
        with transaction.atomic():
            for agent_id in queryset.values_list("pk", flat=True):
                publishing.archive(agent_id, now=datetime.now(UTC))

    @admin.display(description="version", ordering="current_version__number")
    def version(self, agent: Agent) -> int | None:
        """The number of the current version."""
        return agent.current_version.number if agent.current_version else None

    @admin.display(description="watches")
    def namespace(self, agent: Agent) -> str:
        """Database and collection."""
        return ".".join(spec_of(agent.current_version_id).watch_namespace) if agent.current_version_id else ""

    @admin.display(description="model")
    def asked_model(self, agent: Agent) -> str:
        """The model that is asked."""
        return spec_of(agent.current_version_id).ai.model if agent.current_version_id else ""

    @admin.display(description="specification")
    def specification_text(self, agent: Agent) -> SafeString | str:
        """The current version as YAML."""
        if agent.current_version_id is None:
            return ""
        text = dump_yaml(spec_of(agent.current_version_id), managed=False)
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
            )
            for version in latest
        )
        listed = format_html_join("", '<li><a href="{}">Version {}</a>{} by {} on {} UTC</li>', rows)
        everything = reverse("admin:agents_app_agentversion_changelist") + f"?agent__id__exact={agent.pk}"
        return format_html('<ul class="mc-versions">{}</ul><a href="{}">All versions</a>', listed, everything)

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
