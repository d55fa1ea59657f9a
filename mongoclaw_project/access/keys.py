"""API keys: made, recognised, revoked, replaced."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.db.models import Q

from agents_app.errors import Decision, MongoClawError
from mongoclaw_project.access.levels import Scope
from mongoclaw_project.access.models import LONGEST_NAME, ApiKey

MARK: Final = "mck"
"""What all keys begin with, so that people and scanners of leaked secrets recognise one."""

TOUCHED_EVERY: Final = timedelta(minutes=1)
_PREFIX_BYTES: Final = 4
_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(rf"(?P<prefix>{MARK}_[0-9a-f]{{{2 * _PREFIX_BYTES}}})_[\w-]{{43}}", re.ASCII)
_LEAST_PREFIX: Final = len(MARK) + 5

Entropy = Callable[[int], bytes]


class ApiKeyInvalid(MongoClawError):
    """Such an API key cannot be made."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "api_key_invalid"


class ApiKeyNotFound(MongoClawError):
    """There is no such API key, or several begin like that."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "api_key_not_found"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a key is to be: for which user, what for, with which scopes, for which agents and until when."""

    user: User
    name: str
    scopes: Sequence[str]
    agents: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """A key on record, and its text, which is told once and kept nowhere."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"Minted({self.key!s})"


def mint(wish: Wish, *, now: datetime, entropy: Entropy = secrets.token_bytes) -> Minted:
    """Make a key. Raises ApiKeyInvalid."""
    problem = _problem(wish, now)
    if problem:
        raise ApiKeyInvalid(problem)
    prefix = f"{MARK}_{entropy(_PREFIX_BYTES).hex()}"
    text = f"{prefix}_{_text(entropy(_SECRET_BYTES))}"
    key = ApiKey.objects.create(
        user=wish.user,
        name=wish.name.strip(),
        prefix=prefix,
        digest=digest_of(text),
        scopes=[scope.value for scope in Scope if scope in wish.scopes],
        agents=None if wish.agents is None else sorted(set(wish.agents)),
        expires_at=wish.expires_at,
        created_at=now,
    )
    return Minted(key, text)


def recognise(text: str, *, now: datetime) -> ApiKey | None:
    """Find the key that a text is, if it is in force and its user is active. Its use is put on record."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    key = ApiKey.objects.select_related("user").filter(prefix=shape["prefix"]).first()
    if key is None or not hmac.compare_digest(key.digest, digest_of(text)):
        return None
    if key.state(now=now) != "active" or not key.user.is_active:
        return None
    _touch(key, now)
    return key


def find(text: str) -> ApiKey:
    """Find a key by its prefix or the beginning of it. Raises ApiKeyNotFound."""
    if len(text) < _LEAST_PREFIX:
        raise ApiKeyNotFound(f"'{text}' is too short; give a key's prefix, such as {MARK}_0a1b2c3d")
    found = list(ApiKey.objects.select_related("user").filter(prefix__startswith=text)[:2])
    if len(found) != 1:
        raise ApiKeyNotFound(f"{'Several keys begin' if found else 'No key begins'} with '{text}'")
    return found[0]


def revoke(key: ApiKey, *, now: datetime) -> bool:
    """End a key for good; False if it had been revoked before."""
    revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db(fields=["revoked_at"])
    return revoked == 1


def rotate(
    key: ApiKey, *, now: datetime, overlap: timedelta = timedelta(0), entropy: Entropy = secrets.token_bytes
) -> Minted:
    """Make a key like this one, which itself ends after `overlap`. Raises ApiKeyInvalid if it has ended already."""
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().select_related("user").get(pk=key.pk)
        if old.state(now=now) != "active":
            raise ApiKeyInvalid(f"{old.prefix} is {old.state(now=now)}; create a new key instead")
        lifetime = None if old.expires_at is None else old.expires_at - old.created_at
        wish = Wish(old.user, old.name, old.scopes, old.agents, None if lifetime is None else now + lifetime)
        minted = mint(wish, now=now, entropy=entropy)
        if overlap:
            ends = now + overlap
            old.expires_at = ends if old.expires_at is None else min(ends, old.expires_at)
            old.save(update_fields=["expires_at"])
        else:
            revoke(old, now=now)
    return minted


def digest_of(text: str) -> str:
    """Give what is kept of a key."""
    return hashlib.sha256(text.encode()).hexdigest()


def _touch(key: ApiKey, now: datetime) -> None:
    """Put its use on record, once a minute at most whatever the number of processes."""
    stale = now - TOUCHED_EVERY
    if key.last_used_at is None or key.last_used_at <= stale:
        unseen = Q(last_used_at=None) | Q(last_used_at__lte=stale)
        with suppress(OperationalError):  # who may only wait to write may read all the same
            ApiKey.objects.filter(unseen, pk=key.pk).update(last_used_at=now)


def _problem(wish: Wish, now: datetime) -> str | None:
    if not 0 < len(wish.name.strip()) <= LONGEST_NAME:
        return f"name: say in 1 to {LONGEST_NAME} characters what the key is for"
    if not wish.scopes or not set(Scope).issuperset(wish.scopes):
        return f"scopes: must be some of {', '.join(Scope)}"
    if wish.expires_at is not None and wish.expires_at <= now:
        return "expires_at: must be in the future"
    return None


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode("ascii")
