"""Settings of a test's own, users of a group, and clients with keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from agents_app import policies
from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import HistoryPolicy, parse_policy, parse_spec
from executions_app import backfills, gaps, holds
from executions_app.gaps import NewGap
from executions_app.models import GapKind
from mongoclaw_project.access import keys
from mongoclaw_project.access.keys import Wish
from mongoclaw_project.config import Loaded, load_settings, loading
from mongoclaw_project.health import servers
from mongoclaw_project.metrics.views import fleet
from tests.integration.executions_app.conftest import make_event as events_of
from tests.integration.executions_app.letters import dead_run

Given = Callable[..., None]

POLICY = "certain-enough"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Let this process have other settings: `given(SECURITY__API_KEYS=…)`."""

    def given(**values: str) -> None:
        settings = load_settings({f"MONGOCLAW_{name}": value for name, value in values.items()})
        monkeypatch.setattr(loading, "_current", lambda: Loaded(settings, ()))

    return given


@pytest.fixture
def agent(db: None) -> Agent:
    """A published agent that uses a shared policy."""
    now = datetime.now(UTC)
    policies.publish(parse_policy({"name": POLICY, "condition": "result.a == 1"}), by="tests", now=now)
    spec = {
        "id": "triage",
        "name": "Triage",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
        "policy": {"use": POLICY},
    }
    return publish(parse_spec(spec), by="tests", now=now).agent


@pytest.fixture
def ids(
    agent: Agent, transactional_db: None, mongo_uri: str, redis_url: str, given: Given
) -> Iterator[dict[str, str]]:
    """What the parameters of routes stand for: one of each that there can be, all of the agent `triage`."""
    given(
        MONGODB__URI=mongo_uri,
        REDIS__URL=redis_url,
        API__RATE_LIMIT_REQUESTS="100000",
        OBSERVABILITY__METRICS_ACCESS="10.99.0.0/16",
    )
    now = agent.created_at
    planned = backfills.ask(backfills.wish("triage"), by="tests", now=now)
    dead = dead_run(events_of.__wrapped__(agent))  # type: ignore[attr-defined]
    lost = NewGap(
        agent_id="triage",
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since="0000000100000001",
        until="0000000200000002",
        policy=HistoryPolicy.SKIP,
    )
    holds.pause("triage", by="tests", why="", now=now)
    yield {
        "<str:agent_id>": "triage",
        "<str:backfill_id>": planned.id,
        "<str:execution_id>": dead,
        "<str:gap_id>": gaps.record(lost, now=now).id,
        "<str:letter_id>": dead,
        "<int:number>": "1",
        "<str:database>": "shop",
        "<str:name>": POLICY,
    }
    servers.mongo().close()
    servers._mongo.cache_clear()
    fleet.cache_clear()


def member(name: str, *groups: str) -> User:
    """Make a user of some groups, without a password: hashing one takes most of a second."""
    user = User.objects.create(username=name)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def key_of(user: User, *scopes: str, agents: Sequence[str] | None = None) -> str:
    """Make a key and give its text."""
    return keys.mint(Wish(user, "tests", scopes, agents), now=datetime.now(UTC)).text


def client_with(key: str) -> Client:
    """Make a client that sends a key."""
    return Client(headers={"X-API-Key": key})
