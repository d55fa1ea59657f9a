"""`mongoclaw keys`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from django.contrib.auth.models import User

from agents_app.models import Agent
from mongoclaw_project.access import keys as making
from mongoclaw_project.access.key_json import key_json
from mongoclaw_project.access.keys import Minted, Wish
from mongoclaw_project.access.levels import Scope
from mongoclaw_project.access.models import ApiKey
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.lifetime import Lifetime
from mongoclaw_project.cli.output import done, fail, note, show
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table

HEADERS = ("Key", "User", "For", "Scopes", "Agents", "State", "Expires (UTC)", "Last used (UTC)")
ELASTIC = (1, 2, 4)


@click.group(cls=SqlGroup)
def keys() -> None:
    """Make and end API keys. The first characters of a key are enough to name it."""


@keys.command("create")
@click.option("--user", "username", required=True, metavar="NAME", help="Whose key it is.")
@click.option("--name", required=True, metavar="TEXT", help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.READ.value],
    show_default=True,
    help="What it may do of what its user may; several times for several.",
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    type=AGENT_ID,
    metavar="ID",
    help="Bind it to this agent; several times for several.",
)
@click.option("--expires", "lifetime", type=Lifetime(), help="End it after this time.  [default: never]")
def create(
    username: str,
    name: str,
    scopes: Sequence[str],
    agents: Sequence[str],
    lifetime: timedelta | None,
) -> None:
    """Make an API key. It is shown once and never again."""
    now = _now()
    for agent_id in sorted(
        set(agents) - set(Agent.objects.filter(id__in=agents).values_list("id", flat=True))
    ):
        note(f"There is no agent '{agent_id}' yet")
    wish = Wish(_user(username), name, scopes, agents or None, None if lifetime is None else now + lifetime)
    _show_once(making.mint(wish, now=now))


@keys.command("list")
@click.option("--user", "username", metavar="NAME", help="Only this user's.")
@click.option("--all", "with_ended", is_flag=True, help="Those too that are revoked or expired.")
def list_(username: str | None, with_ended: bool) -> None:
    """List keys, newest first. Their secrets are not kept."""
    rows = ApiKey.objects.select_related("user")
    if username is not None:
        rows = rows.filter(user=_user(username))
    now = _now()
    found = [key for key in rows if with_ended or key.state(now=now) == "active"]
    lines = [_row(key, now) for key in found]
    text = Table(HEADERS, lines, elastic=ELASTIC) if lines else "No keys: `mongoclaw keys create` makes one."
    show({"keys": [key_json(key, now=now) for key in found]}, text=text)


@keys.command("revoke")
@click.argument("key", metavar="KEY")
def revoke_(key: str) -> None:
    """End a key for good, at once."""
    found = making.find(key)
    now = _now()
    if not making.revoke(found, now=now):
        fail(f"{found.prefix} was revoked at {found.revoked_at:%Y-%m-%d %H:%M} UTC already")
    done(f"Revoked {found}", **key_json(found, now=now))


@keys.command("rotate")
@click.argument("key", metavar="KEY")
@click.option(
    "--overlap",
    type=Lifetime(),
    default="0s",
    show_default=True,
    help="How long the old key goes on, so that programs can be given the new one.",
)
def rotate_(key: str, overlap: timedelta) -> None:
    """Put a new key with the same rights and the same lifetime in an old one's place."""
    found = making.find(key)
    minted = making.rotate(found, now=_now(), overlap=overlap)
    ends = f"goes on for {overlap}" if overlap else "is revoked"
    note(f"{found.prefix} {ends}")
    _show_once(minted)


def _user(username: str) -> User:
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        fail(f"There is no user '{username}'; `mongoclaw manage createsuperuser` or the admin makes one")


def _show_once(minted: Minted) -> None:
    key = minted.key
    note(f"This is the only time that {key.prefix} is shown; keep it where secrets are kept:")
    show({"key": minted.text, **key_json(key, now=key.created_at)}, text=minted.text)


def _row(key: ApiKey, now: datetime) -> tuple[object, ...]:
    return (
        key.prefix,
        key.user.get_username(),
        key.name,
        " ".join(key.scopes),
        "all" if key.agents is None else " ".join(key.agents) or "none",
        key.state(now=now),
        _minute(key.expires_at) or "never",
        _minute(key.last_used_at) or "never",
    )


def _minute(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _now() -> datetime:
    return datetime.now(UTC)
