"""Which permission is of which level: the one table that groups of users and scopes of keys are made of.

Groups contain each other, scopes do not: a key that may only operate reads nothing. A permission that is in no
level is nobody's but a superuser's; a test fails for one that is neither in a level nor in `SUPERUSERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What an API key is for."""

    READ = "read"
    OPERATE = "operate"
    WRITE = "write"
    ADMIN = "admin"


KEYS_APP: Final = "mongoclaw_project"
OWN_KEYS: Final = frozenset(f"{KEYS_APP}.{action}_apikey" for action in ("view", "add", "change"))
"""For one's own keys: every group has them, and no key but one with the scope `admin`."""

LEVELS: Final[Mapping[Scope, frozenset[str]]] = {
    Scope.READ: frozenset(
        {
            "agents_app.view_agent",
            "agents_app.view_agentversion",
            "agents_app.view_policy",
            "agents_app.view_policyversion",
            "executions_app.view_attempt",
            "executions_app.view_backfill",
            "executions_app.view_execution",
            "executions_app.view_hold",
            "executions_app.view_hourtally",
            "executions_app.view_notification",
            "executions_app.view_streamgap",
            "executions_app.view_workerprocess",
        }
    ),
    Scope.OPERATE: frozenset(
        {
            "agents_app.operate_agent",
            "executions_app.add_backfill",
            "executions_app.cancel_execution",
            "executions_app.change_backfill",
            "executions_app.change_notification",
            "executions_app.change_streamgap",
            "executions_app.discard_execution",
            "executions_app.requeue_execution",
        }
    ),
    Scope.WRITE: frozenset(
        {
            "agents_app.add_agent",
            "agents_app.change_agent",
            "agents_app.delete_agent",
            "agents_app.add_policy",
            "agents_app.change_policy",
            "agents_app.delete_policy",
        }
    ),
    Scope.ADMIN: frozenset(
        {
            *OWN_KEYS,
            f"{KEYS_APP}.manage_apikey",
            "admin.view_logentry",
            *(
                f"auth.{action}_{of}"
                for of in ("user", "group")
                for action in ("add", "change", "delete", "view")
            ),
        }
    ),
}

SUPERUSERS: Final = frozenset(
    {
        *(f"admin.{action}_logentry" for action in ("add", "change", "delete")),
        *(
            f"{of}.{action}_{model}"
            for of, model in (
                ("auth", "permission"),
                ("contenttypes", "contenttype"),
                ("sessions", "session"),
            )
            for action in ("add", "change", "delete", "view")
        ),
    }
)
"""Permissions that Django makes and that are in no level: nothing of MongoClaw asks for them."""

GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "viewer": LEVELS[Scope.READ] | OWN_KEYS,
    "operator": LEVELS[Scope.READ] | OWN_KEYS | LEVELS[Scope.OPERATE],
    "editor": LEVELS[Scope.READ] | OWN_KEYS | LEVELS[Scope.OPERATE] | LEVELS[Scope.WRITE],
    "admin": frozenset().union(*LEVELS.values()),
}

PEOPLE: Final = ("auth.", f"{KEYS_APP}.")
"""How permissions over users and their keys begin."""

WITHOUT_PEOPLE: Final = frozenset(name for name in GROUPS["admin"] if not name.startswith(PEOPLE))
"""All that an administrator may, but for users and their keys."""


def permissions_of(scopes: Iterable[str]) -> frozenset[str]:
    """Give the permissions that scopes allow; a scope of another release allows nothing."""
    known = (LEVELS[Scope(scope)] for scope in scopes if scope in set(Scope))
    return frozenset().union(*known)
