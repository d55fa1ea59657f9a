"""How often somebody may try to sign in: failures count by name and address, and by address alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import structlog
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from mongoclaw_project.access.address import address_of
from mongoclaw_project.access.counting import Counter, counter
from mongoclaw_project.config import current

log = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 300
MOST_OF_A_NAME: Final = 10
MOST_OF_AN_ADDRESS: Final = 50


def seconds_to_wait(request: HttpRequest, username: str) -> float:
    """Tell for how long this address may not try this name; 0 if it may."""
    return max(_waits(request, username), default=0.0)


def count_failure(sender: object, credentials: Mapping[str, Any], request: Any = None, **_: Any) -> None:  # noqa: ARG001  # the signal's
    """Count a failed try; called by Django's signal, whatever the way to sign in was."""
    if request is None:
        return
    for name, _most in _names(request, str(credentials.get("username", ""))):
        _counter().add(name, window_seconds=WINDOW_SECONDS)


def forgive(sender: object, request: Any, user: Any, **_: Any) -> None:  # noqa: ARG001  # the signal's
    """Forget the failures of a name from an address once it has signed in."""
    if request is not None:
        of_name, *_others = (name for name, _most in _names(request, user.get_username()))
        _counter().forget(of_name)


def connect() -> None:
    """Count from now on."""
    user_login_failed.connect(count_failure, dispatch_uid="mongoclaw.sign_in.failed")
    user_logged_in.connect(forgive, dispatch_uid="mongoclaw.sign_in.done")


def told(seconds: float) -> str:
    """Say it to people."""
    minutes = math.ceil(seconds / 60)
    return f"Too many failed attempts to sign in. Try again in {minutes} minute{'s' if minutes > 1 else ''}."


def _waits(request: HttpRequest, username: str) -> Iterator[float]:
    for name, most in _names(request, username):
        found = _counter().look(name)
        if found is not None and found.number >= most:
            log.warning("access.sign_in_held", by=name.partition(":")[0], address=address_of(request))
            yield max(1.0, found.seconds_left)


def _names(request: HttpRequest, username: str) -> tuple[tuple[str, int], tuple[str, int]]:
    address = address_of(request)
    # A name may be anything, a password in the wrong field included.
    hashed = hashlib.sha256(f"{address}\0{username.casefold()}".encode()).hexdigest()[:32]
    return (f"sign-in-name:{hashed}", MOST_OF_A_NAME), (f"sign-in-address:{address}", MOST_OF_AN_ADDRESS)


def _counter() -> Counter:
    return counter(current().redis.url)
