"""Who may do what over the HTTP API: Django's permissions, as in the admin."""

from __future__ import annotations

from django.db.models import Model
from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.views import APIView


class MayView(DjangoModelPermissions):
    """Reading asks for the permission to view, asking for a backfill for the one to add."""

    def get_required_permissions(self, method: str, model_cls: type[Model]) -> list[str]:
        """Return the permissions for a method."""
        return (
            _named(model_cls, "view")
            if method in {"GET", "HEAD"}
            else super().get_required_permissions(method, model_cls)
        )


class MayChange(DjangoModelPermissions):
    """Steering asks for the permission to change."""

    def get_required_permissions(self, method: str, model_cls: type[Model]) -> list[str]:  # noqa: ARG002  # its signature
        """Return the permission to change, whatever the method is."""
        return _named(model_cls, "change")


class MayOperate(BasePermission):
    """Pausing, resuming and triggering agents ask for the permission to operate them."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  # the framework's signature
        """Tell whether the user may."""
        return request.user.has_perm("agents_app.operate_agent")


def _named(model: type[Model], action: str) -> list[str]:
    return [f"{model._meta.app_label}.{action}_{model._meta.model_name}"]  # noqa: SLF001  # Django documents it for this
