"""Shared policies in Django's admin: written as YAML, published together with the agents that use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from agents_app import policies
from agents_app.check_view import check_view
from agents_app.checking import check_policy
from agents_app.diff_markup import differences
from agents_app.errors import PolicyExists, PolicyInUse, SpecInvalid
from agents_app.models import Agent, Policy, PolicyVersion
from agents_app.policy_forms import PolicyForm
from agents_app.policy_use import content_of, users_of
from agents_app.published_text_admin import PublishedTextAdmin
from agents_app.spec import write_policy

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

SHOWN_VERSIONS = 20


@admin.register(Policy)
class PolicyAdmin(PublishedTextAdmin):
    """Policies that are not archived."""

    form = PolicyForm
    list_display = ("name", "description", "version", "used_by", "updated_at")
    list_select_related = ("current_version",)
    search_fields = ("name", "description")
    list_per_page = 50
    actions = None
    readonly_fields = ("policy_text", "users", "versions", "updated_at")
    change_form_template = "admin/agents_app/policy/change_form.html"
    text = "policy_text"
    state = ("State", {"fields": ("users", "versions", "updated_at")})

    def get_urls(self) -> list[URLPattern]:
        """Add the address that checks a text, and the way back to an earlier version."""
        check = path("check/", check_view(self, check_policy), name="agents_app_policy_check")
        restore = path(
            "restore/<int:version_id>/",
            self.admin_site.admin_view(self._restore),
            name="agents_app_policy_restore",
        )
        return [check, restore, *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what would change, and for which agents, before it is published."""
        try:
            return self._review(request, object_id) or super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except (PolicyExists, SpecInvalid) as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Policy, form: Any, change: bool) -> None:
        """Publish what the text says, and the agents that use it. It has passed the checks already."""
        by = request.user.get_username()
        result = policies.publish(form.parsed, by=by, now=datetime.now(UTC), must_be_new=not change)
        self.tell_published(request, result.version.number, created=result.created)
        for agent in Agent.objects.filter(pk__in=result.agents):
            told = f"Published again with policy {result.version}."
            self.log_change(request, agent, told)
        if result.agents:
            self.message_user(request, f"Published again with it: {', '.join(result.agents)}.", messages.INFO)
        obj.pk = result.policy.pk
        obj.refresh_from_db()

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say which agents use a policy instead of asking whether to delete it."""
        policy = self.get_object(request, unquote(object_id))
        users = users_of(policy.pk) if policy is not None else []
        if policy is None or not users or not self.has_delete_permission(request, policy):
            try:
                return super().delete_view(request, object_id, extra_context)
            except PolicyInUse as error:
                message = str(error)
        else:
            message = f"Policy '{policy}' cannot be deleted: it is used by {', '.join(users)}"
        self.message_user(request, message, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:agents_app_policy_change", args=(object_id,)))

    def delete_model(self, request: HttpRequest, obj: Policy) -> None:  # noqa: ARG002
        """Archive the policy."""
        policies.archive(obj.pk, now=datetime.now(UTC))

    @admin.display(description="agents")
    def used_by(self, policy: Policy) -> str:
        """How many agents work by it."""
        in_use = Q(archived_at=None, current_version__policy_version__policy=policy)
        return str(Agent.objects.filter(in_use).aggregate(count=Count("pk"))["count"] or "none")

    @admin.display(description="policy")
    def policy_text(self, policy: Policy) -> SafeString | str:
        """The current version as YAML."""
        if policy.current_version is None:
            return ""
        text = write_policy(policy.name, policy.description, content_of(policy.current_version))
        return format_html('<pre class="mc-yaml">{}</pre>', text)

    @admin.display(description="used by")
    def users(self, policy: Policy) -> SafeString | str:
        """The agents that work by it."""
        found = [
            (reverse("admin:agents_app_agent_change", args=(name,)), name) for name in users_of(policy.pk)
        ]
        return (
            format_html_join(", ", '<a href="{}">{}</a>', found)
            or "no agent; say `policy: {use: NAME}` in one"
        )

    @admin.display(description="versions")
    def versions(self, policy: Policy) -> SafeString:
        """The latest versions, each with its text."""
        rows = (
            (
                version.number,
                " (current)" if version.pk == policy.current_version_id else "",
                version.published_by,
                f"{version.created_at:%Y-%m-%d %H:%M}",
                reverse("preview-policy") + f"?version={version.pk}",
                reverse("admin:agents_app_policy_restore", args=(version.pk,)),
                write_policy(policy.name, policy.description, content_of(version)),
            )
            for version in policy.versions.all()[:SHOWN_VERSIONS]
        )
        markup = (
            "<li><details><summary>Version {}{} by {} on {} UTC</summary>"
            '<a href="{}">Preview on past runs</a> · <a href="{}">Make current again…</a>'
            '<pre class="mc-yaml">{}</pre></details></li>'
        )
        return format_html('<ul class="mc-versions">{}</ul>', format_html_join("", markup, rows))

    def _review(self, request: HttpRequest, object_id: str | None) -> HttpResponse | None:
        """Ask by showing the change and the agents it is for; None where nothing is to be asked."""
        policy = (
            self.get_object(request, unquote(object_id)) if object_id and request.method == "POST" else None
        )
        if policy is None or not self.has_change_permission(request, policy):
            return None
        with transaction.atomic():
            form = PolicyForm(request.POST, instance=policy)
            if not form.is_valid():
                return None
            users, (before, after) = users_of(policy.pk), form.change
            if before == after or form.cleaned_data.get("reviewed") == form.change_name(users):
                return None
            return self._question(request, policy, form, users)

    def _restore(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Ask about an earlier version's text as if somebody had typed it."""
        version = get_object_or_404(PolicyVersion.objects.select_related("policy"), pk=version_id)
        policy = version.policy
        if policy.archived_at is not None or not self.has_change_permission(request, policy):
            raise PermissionDenied
        text = write_policy(policy.name, policy.description, content_of(version))
        data = {"specification": text, "seen_revision": policy.revision}
        with transaction.atomic():
            form = PolicyForm(data, instance=policy)
            if form.is_valid():
                return self._question(request, policy, form, users_of(policy.pk))
        self.message_user(request, "; ".join(map(str, form.errors.get("specification", []))), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:agents_app_policy_change", args=(policy.pk,)))

    def _question(
        self, request: HttpRequest, policy: Policy, form: PolicyForm, users: list[str]
    ) -> HttpResponse:
        asked = {**form.cleaned_data, "reviewed": form.change_name(users)}
        context = {
            **self.admin_site.each_context(request),
            "title": f"Publish this change of {policy}?",
            "opts": self.opts,
            "original": policy,
            "users": users,
            "changes": differences(*form.change),
            "warnings": form.parsed.warnings,
            "form": PolicyForm(asked, instance=policy),
            "media": self.media + form.media,
        }
        # Rendered here, where the locks of the form's questions are still held.
        return TemplateResponse(request, "admin/agents_app/policy/review.html", context).render()
