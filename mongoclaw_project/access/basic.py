"""A name and a password over HTTP, with the same limit as the page to sign in."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from mongoclaw_project.access.sign_in import seconds_to_wait, told


class LimitedBasicAuthentication(BasicAuthentication):
    """HTTP Basic."""

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[Any, None]:
        """Check the password. Raises Throttled after too many failures."""
        seconds = seconds_to_wait(_plain(request), userid)
        if seconds:
            raise Throttled(wait=seconds, detail=told(seconds))
        user, _ = super().authenticate_credentials(userid, password, request)
        return user, None


def _plain(request: Request) -> Any:
    return request._request  # noqa: SLF001  # the framework gives no other way to Django's own request
