"""Versions in Django's admin: read, compared, made current again; never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from agents_app.diff_markup import differences
from agents_app.models import AgentVersion
from agents_app.restoring import restore_view
from agents_app.version_text import text_of

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

SHOWN_HASH = 12


@admin.register(AgentVersion)
class AgentVersionAdmin(admin.ModelAdmin[AgentVersion]):
    """Published versions, seen by everyone who sees agents."""

    list_display = ("__str__", "is_current", "published_by", "created_at", "short_hash")
    list_display_links = ("__str__",)
    list_filter = ("agent",)
    list_select_related = ("agent", "policy_version")
    change_form_template = "admin/agents_app/agentversion/version.html"
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
        "why",
        "policy",
        "content_hash",
        "changes",
        "specification",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentVersion]:
        """Leave the texts behind; they are read from memory."""
        return super().get_queryset(request).defer("spec")

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks before a version is made current again."""
        restore = path(
            "<int:version_id>/restore/",
            self.admin_site.admin_view(restore_view(self)),
            name="agents_app_agentversion_restore",
        )
        return [restore, *super().get_urls()]

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
    def make_current(self, request: HttpRequest, queryset: QuerySet[AgentVersion]) -> HttpResponse | None:
        """Go to the question whether to; exactly one version may be selected."""
        selected = list(queryset[:2])
        if len(selected) != 1:
            self.message_user(request, "Select exactly one version.", messages.WARNING)
            return None
        return HttpResponseRedirect(reverse("admin:agents_app_agentversion_restore", args=(selected[0].pk,)))

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
        return differences(_text(before), _text(version))

    @admin.display(description="policy")
    def policy(self, version: AgentVersion) -> str:
        """The version of the shared policy that it was published with."""
        return str(version.policy_version) if version.policy_version else "its own, or none"

    @admin.display(description="published because of")
    def why(self, version: AgentVersion) -> str:
        """What published it, where nobody changed the agent."""
        return version.note or "a change of the agent"


def _text(version: AgentVersion) -> str:
    return text_of(version.pk, filled=True)
