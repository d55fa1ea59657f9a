"""Where a request comes from."""

from __future__ import annotations

from django.http import HttpRequest

from mongoclaw_project.config import current


def address_of(request: HttpRequest) -> str:
    """Give the client's address: the one that the proxy in front has seen, if there is one that is trusted."""
    if current().api.behind_tls_proxy:
        # The last one is the proxy's own word; those before it are whatever the client sent.
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if seen:
            return str(seen)
    return str(request.META.get("REMOTE_ADDR", ""))
