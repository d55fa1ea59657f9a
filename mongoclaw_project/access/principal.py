"""Who asks when a program asks: a user as far as the key goes, or whoever keeps the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from mongoclaw_project.access.levels import WITHOUT_PEOPLE, permissions_of


class HasApiKey(Protocol):
    """What a principal is made of; `ApiKey` is one."""

    user: Any
    prefix: str
    scopes: list[str]
    agents: list[str] | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Stands where Django has a user, and answers as one.

    `name` is put on record, `ident` tells callers apart that are counted. `agents` are those it may see, None
    for all.
    """

    name: str
    ident: str
    permits: Callable[[str], bool]
    agents: frozenset[str] | None = None
    pk: Any = None

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False  # the admin is for people
    is_superuser = False

    def __str__(self) -> str:
        return self.name

    def get_username(self) -> str:
        """Give the name for what is put on record."""
        return self.name

    def has_perm(self, perm: str, obj: Any = None) -> bool:  # noqa: ARG002  # the signature is Django's
        """Tell whether it has one permission, such as `agents_app.view_agent`."""
        return self.permits(perm)

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:  # noqa: ARG002
        """Tell whether it has all of them."""
        return all(map(self.permits, perm_list))


def holder_of(key: HasApiKey) -> Principal:
    """Make the principal of a key: its user, narrowed by the key's scopes and agents."""
    allowed = permissions_of(key.scopes)

    def permits(permission: str) -> bool:
        return permission in allowed and bool(key.user.has_perm(permission))

    agents = None if key.agents is None else frozenset(key.agents)
    return Principal(key.user.get_username(), key.prefix, permits, agents, key.user.pk)


def keeper_of(number: int) -> Principal:
    """Make the principal of the `number`th key of MONGOCLAW_SECURITY__API_KEYS: an administrator, but not of users."""
    name = f"{SETTINGS_KEY}{number}"
    return Principal(name, name, WITHOUT_PEOPLE.__contains__)


SETTINGS_KEY: Final = "settings-key-"
