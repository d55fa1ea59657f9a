"""Who may do what over the HTTP API: Django's permissions, as in the admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class Needs(BasePermission):
    """Asks for the permission that the view's `needs` names for the method; what is asked with HEAD is read."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may. Whoever is known may ask what a view offers (OPTIONS)."""
        needs: Mapping[str, str] = getattr(view, "needs", {})
        method = "GET" if request.method == "HEAD" else str(request.method)
        user: Any = request.user
        if not user.is_authenticated:
            return False
        return method not in needs or bool(user.has_perm(needs[method]))
