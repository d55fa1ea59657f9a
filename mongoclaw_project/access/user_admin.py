"""Users in Django's admin: their groups say what they may do."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest


class PeopleAdmin(UserAdmin[User]):
    """Django's page, less the staff status, which decides nothing here, and with groups from the beginning."""

    list_display = ("username", "email", "groups_shown", "is_active", "is_superuser", "last_login")
    list_filter = ("groups", "is_superuser", "is_active")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("About the person", {"fields": ("first_name", "last_name", "email")}),
        ("What the person may do", {"fields": ("is_active", "groups", "user_permissions", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "usable_password", "password1", "password2", "groups"),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Bring the groups along, which the list shows."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="groups")
    def groups_shown(self, user: User) -> str:
        """The groups that the user is in."""
        return ", ".join(sorted(group.name for group in user.groups.all()))
