"""API keys in Django's admin: everybody makes and ends keys of one's own, administrators those of all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from executions_app.read_only_admin import ReadOnlyAdmin
from mongoclaw_project.access import keys
from mongoclaw_project.access.forms import ApiKeyForm
from mongoclaw_project.access.keys import Minted, Wish
from mongoclaw_project.access.models import ApiKey
from mongoclaw_project.config import current

MADE = "admin/mongoclaw_project/apikey/made.html"


class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys: their secrets are shown on the page that follows their making, and nowhere else."""

    form = ApiKeyForm
    list_display = ("prefix", "name", "user", "may", "bound_to", "state", "expires_at", "last_used_at")
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("prefix__startswith", "name", "user__username")
    search_help_text = "The beginning of a key, what it is for, or a user."
    sortable_by = ("name", "user", "expires_at", "last_used_at")
    actions = ("rotate", "revoke")
    _shown = (
        *("prefix", "name", "user", "may", "bound_to", "state"),
        *("created_at", "expires_at", "last_used_at", "revoked_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """Show one's own keys; to those who manage keys, all."""
        rows = super().get_queryset(request)
        return rows if _manages(request) else rows.filter(user_id=request.user.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whether the user may make keys."""
        return bool(request.user.has_perm("mongoclaw_project.add_apikey"))

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whether the user may revoke and rotate the keys that the list shows."""
        return bool(request.user.has_perm("mongoclaw_project.change_apikey"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for the wish, for another user's too if one manages keys; then show everything."""
        if obj is not None:
            return self._shown
        return [name for name in ApiKeyForm.Meta.fields if name != "user" or _manages(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002  # Django's signature
        """Nothing of a key is edited."""
        return () if obj is None else self._shown

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Propose a key of one's own."""
        return {"user": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: ARG002
        """Make the key; the page that follows needs its text."""
        asked, now = form.cleaned_data, datetime.now(UTC)
        days = asked["lifetime"]
        owner = asked["user"] if _manages(request) else cast("User", request.user)
        expires_at = now + timedelta(days=days) if days else None
        minted = keys.mint(Wish(owner, asked["name"], asked["scopes"], asked["agents"], expires_at), now=now)
        obj.pk, obj.prefix, obj.text = minted.key.pk, minted.key.prefix, minted.text  # type: ignore[attr-defined]

    def response_add(
        self,
        request: HttpRequest,
        obj: ApiKey,
        post_url_continue: str | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show the key, once: neither a message nor a session may keep it."""
        return self._show_once(request, [Minted(obj, obj.text)])  # type: ignore[attr-defined]

    @admin.action(description="Rotate: make new keys in the place of the selected ones", permissions=["end"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Revoke keys and show new ones with the same rights, once."""
        now = datetime.now(UTC)
        active = [key for key in queryset if key.state(now=now) == "active"]
        if not active:
            self.message_user(request, "None of the selected keys is active.", messages.WARNING)
            return None
        minted = [keys.rotate(key, now=now) for key in active]
        for old, new in zip(active, minted, strict=True):
            self.log_change(request, old, f"Rotated; the new key is {new.key.prefix}.")
        return self._show_once(request, minted)

    @admin.action(description="Revoke: end the selected keys for good", permissions=["end"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """End keys at once."""
        now = datetime.now(UTC)
        ended = [key for key in queryset if keys.revoke(key, now=now)]
        for key in ended:
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked: {len(ended)}.", messages.SUCCESS)

    @admin.display(description="scopes")
    def may(self, key: ApiKey) -> str:
        """What the key may do."""
        return ", ".join(key.scopes)

    @admin.display(description="agents")
    def bound_to(self, key: ApiKey) -> str:
        """The agents that it is bound to."""
        return "all" if key.agents is None else ", ".join(key.agents)

    @admin.display(description="state")
    def state(self, key: ApiKey) -> str:
        """Whether it lets anybody in."""
        return key.state(now=datetime.now(UTC))

    def _show_once(self, request: HttpRequest, minted: list[Minted]) -> HttpResponse:
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New API keys" if len(minted) > 1 else "New API key",
            "minted": minted,
            "header": current().api.api_key_header,
        }
        response = TemplateResponse(request, MADE, page)
        add_never_cache_headers(response)
        return response


def _manages(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("mongoclaw_project.manage_apikey"))
