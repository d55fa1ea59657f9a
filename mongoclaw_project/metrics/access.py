"""Who may read `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from agents_app.sight import visible_agents
from mongoclaw_project.config import current
from mongoclaw_project.config.service import EVERYWHERE

PERMISSION = "executions_app.view_hourtally"


class MayReadMetrics(BasePermission):
    """Whoever comes from a network that is let in, or may view the figures of all agents."""

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002  # the framework's signature
        """Say whether the request may read them."""
        settings = current()
        networks = settings.observability.metrics_access
        if is_let_in(networks or ((EVERYWHERE,) if settings.is_development else ()), request):
            return True
        user: Any = request.user
        return bool(user and user.has_perm(PERMISSION)) and visible_agents(user) is None


def is_let_in(networks: Sequence[str], request: Request) -> bool:
    """Tell whether a request comes from one of the networks. What a proxy hands on comes from the proxy's only."""
    if EVERYWHERE in networks:
        return True
    if request.headers.get("X-Forwarded-For") or request.headers.get("Forwarded"):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return False  # a socket of this host
    return any(address in ip_network(network) for network in networks)
