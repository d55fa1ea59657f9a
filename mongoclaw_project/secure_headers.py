"""What the server tells browsers not to do with its pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:; manifest-src 'self'; object-src 'none'; "
    "script-src 'self'{nonce}; style-src 'self'{nonce}"
)
_PERMISSIONS: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "autoplay", "camera", "display-capture", "fullscreen", "geolocation", "gyroscope"),
        *("magnetometer", "microphone", "midi", "payment", "usb"),
    )
)


class SecureHeaders:
    """Adds Content-Security-Policy and Permissions-Policy; a view that sets its own keeps it.

    Everything comes from this server. A `<script>` or `<style>` in a page runs only with
    `nonce="{{ request.csp_nonce }}"`; `style="…"` and `onclick="…"` never do.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        made: list[str] = []
        request.csp_nonce = SimpleLazyObject(lambda: _nonce(made))  # type: ignore[attr-defined]
        response = self.get_response(request)
        nonce = f" 'nonce-{made[0]}'" if made else ""
        response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce))
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


def _nonce(made: list[str]) -> str:
    """Make the page's nonce when a template asks for it, and remember that it did."""
    made.append(secrets.token_urlsafe(16))
    return made[0]
