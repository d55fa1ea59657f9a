"""Versions in Django's admin: read, compared, made current again; never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from agents_app import publish as publishing
from agents_app.diff import Change, diff
from agents_app.errors import AgentNotFound, SpecInvalid
from agents_app.models import AgentVersion
from agents_app.publish_hooks import checks
from agents_app.registry import spec_of
from agents_app.spec import dump_yaml, parse_spec

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

SHOWN_HASH = 12
_MARKUP = {
    Change.SAME: "<span>  {}</span>\n",
    Change.ADDED: "<ins>+ {}</ins>\n",
    Change.REMOVED: "<del>- {}</del>\n",
    Change.PLACE: "<b>{}</b>\n",
}


@admin.register(AgentVersion)
class AgentVersionAdmin(admin.ModelAdmin[AgentVersion]):
    """Published versions, seen by everyone who sees agents."""

    list_display = ("__str__", "is_current", "published_by", "created_at", "short_hash")
    list_display_links = ("__str__",)
    list_filter = ("agent",)
    list_select_related = ("agent",)
    ordering = ("-created_at", "-number")
    list_per_page = 50
    show_full_result_count = False
    actions = ("make_current",)
    fields = (
        "agent",
        "number",
        "is_current",
        "published_by",
        "created_at",
        "content_hash",
        "changes",
        "specification",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentVersion]:
        """Leave the texts behind; they are read from memory."""
        return super().get_queryset(request).defer("spec")

    def has_view_permission(self, request: HttpRequest, obj: AgentVersion | None = None) -> bool:  # noqa: ARG002
        """Whoever sees an agent sees its versions."""
        names = ("view_agent", "change_agent")
        return any(request.user.has_perm(f"agents_app.{name}") for name in names)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever sees an agent sees its versions."""
        return self.has_view_permission(request)

    def has_restore_permission(self, request: HttpRequest) -> bool:
        """Whoever may change an agent may go back to an earlier version."""
        return bool(request.user.has_perm("agents_app.change_agent"))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Versions come about by publishing an agent."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: AgentVersion | None = None) -> bool:  # noqa: ARG002
        """Versions never change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AgentVersion | None = None) -> bool:  # noqa: ARG002
        """Versions stay for the executions that ran by them."""
        return False

    @admin.action(description="Make the selected version current again", permissions=["restore"])
    def make_current(self, request: HttpRequest, queryset: QuerySet[AgentVersion]) -> None:
        """Publish an earlier version's content once more; exactly one version may be selected."""
        selected = list(queryset[:2])
        if len(selected) != 1:
            self.message_user(request, "Select exactly one version.", messages.WARNING)
            return
        (version,) = selected
        try:
            publishing.get(version.agent_id)
            parsed = parse_spec(version.spec)
            publishing.publish(parsed, by=request.user.get_username(), now=datetime.now(UTC), checks=checks())
        except (AgentNotFound, SpecInvalid) as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        self.message_user(request, f"Now current: {version}.", messages.SUCCESS)

    @admin.display(description="current", boolean=True)
    def is_current(self, version: AgentVersion) -> bool:
        """Whether the agent works by this version."""
        return version.agent.current_version_id == version.pk

    @admin.display(description="content hash")
    def short_hash(self, version: AgentVersion) -> SafeString:
        """The first characters of the hash; all of it on hovering."""
        return format_html(
            '<code title="{}">{}</code>', version.content_hash, version.content_hash[:SHOWN_HASH]
        )

    @admin.display(description="specification")
    def specification(self, version: AgentVersion) -> SafeString:
        """The version as YAML."""
        return format_html('<pre class="mc-yaml">{}</pre>', _text(version))

    @admin.display(description="changes to the version before")
    def changes(self, version: AgentVersion) -> SafeString | str:
        """The lines that differ from the version with the next lower number."""
        before = AgentVersion.objects.filter(agent=version.agent_id, number__lt=version.number).first()
        if before is None:
            return "This is the first version."
        lines = (format_html(_MARKUP[line.change], line.text) for line in diff(_text(before), _text(version)))
        return format_html(
            '<pre class="mc-yaml">{}</pre>', format_html_join("", "{}", ((line,) for line in lines))
        )


def _text(version: AgentVersion) -> str:
    return dump_yaml(spec_of(version.pk), managed=False)
