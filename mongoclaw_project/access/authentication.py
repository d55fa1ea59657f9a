"""How the HTTP API learns who asks: by a key in a header."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from mongoclaw_project.access import keys
from mongoclaw_project.access.models import ApiKey
from mongoclaw_project.access.principal import Principal, holder_of, keeper_of
from mongoclaw_project.config import current

CHALLENGE: Final = "ApiKey"
INVALID: Final = "Invalid API key"
REQUIRED: Final = "API key required"


class ApiKeyAuthentication(BaseAuthentication):
    """Knows the keys on record and those of MONGOCLAW_SECURITY__API_KEYS; anything else in the header is refused.

    `request.user` is a `Principal` and `request.auth` the `ApiKey`, or the settings key's name.
    """

    def authenticate(self, request: Request) -> tuple[Principal, ApiKey | str] | None:
        """Tell who asks; None leaves a request without a key to the other ways. Raises AuthenticationFailed."""
        settings = current()
        text = request.headers.get(settings.api.api_key_header, "").strip()
        if not text:
            return None
        number = number_of(text, settings.security.api_keys)
        if number is not None:
            keeper = keeper_of(number)
            bind_contextvars(caller=keeper.ident)
            return keeper, keeper.ident
        key = keys.recognise(text, now=datetime.now(UTC))
        if key is None:
            raise AuthenticationFailed(INVALID)
        bind_contextvars(caller=key.prefix)
        return holder_of(key), key

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  # the framework's signature
        """Give what `WWW-Authenticate` says: with it a caller who is unknown is answered 401, not 403."""
        return CHALLENGE


def number_of(text: str, known: Sequence[str]) -> int | None:
    """Find a text among keys, counted from 1. The time it takes tells nothing of any key, its length included."""
    digest = keys.digest_of(text)
    found = [hmac.compare_digest(digest, keys.digest_of(key)) for key in known]
    return found.index(True) + 1 if any(found) else None
