"""No surface shows a secret: canaries are planted in settings, keys and the environment, and looked for everywhere."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pymongo
import pytest
from django.contrib import admin
from django.test import Client

from agents_app.models import Agent
from agents_app.spec import parse_spec
from executions_app import mongodb
from mongoclaw_project import secret_check, watch_check
from mongoclaw_project.access.models import ApiKey
from mongoclaw_project.cli.main import main
from mongoclaw_project.config import current
from mongoclaw_project.health import servers
from mongoclaw_project.metrics.views import fleet
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member
from tests.integration.mongoclaw_project.access.routes import TABLE, Rule, ask

CANARY = "c4n4ry"
PLANTED = {
    "MONGODB__URI": f"mongodb://u:{CANARY}mongo@127.0.0.1:1/?serverSelectionTimeoutMS=300",
    "REDIS__URL": f"redis://:{CANARY}redis@127.0.0.1:1/0",
    "BROKER__URL": f"amqp://u:{CANARY}broker@127.0.0.1:1//",
    "SECURITY__SECRET_KEY": f"{CANARY}-signs-sessions-and-forms-0123456789",
    "SECURITY__API_KEYS": f"{CANARY}-key-of-the-settings",
    "SECURITY__VAULT_TOKEN": f"{CANARY}-vault",
    "WEBHOOKS__SECRET": f"{CANARY}-webhooks",
    "WEBHOOKS__GITHUB_SECRET": f"{CANARY}-github",
    "WEBHOOKS__SLACK_SECRET": f"{CANARY}-slack",
    "NOTIFICATIONS__URL": f"https://hooks.example/{CANARY}-address",
    "NOTIFICATIONS__SECRET": f"{CANARY}-notifications",
}
CLI = [
    ("config",),
    ("config", "--json"),
    ("info",),
    ("info", "--json"),
    ("health",),
    ("doctor",),
    ("keys", "list"),
]


@pytest.fixture
def probes(given: Given, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Probes of health, and whoever else asks a server, with connections of this test's own and little patience."""
    for name in ("_mongo", "_redis"):
        monkeypatch.setattr(servers, name, functools.cache(getattr(servers, name).__wrapped__))
    monkeypatch.setattr(servers, "TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(mongodb, "PATIENCE_MS", 100)
    monkeypatch.setattr(watch_check, "PATIENCE_MS", 100)
    within = pymongo.timeout
    monkeypatch.setattr(pymongo, "timeout", lambda _seconds: within(0.1))
    yield
    servers.mongo().close()
    fleet.cache_clear()


def shown_by_api(client: Client, rules: Mapping[str, Rule]) -> dict[str, str]:
    """Every answer that can be had by asking."""
    shown = {}
    for line, rule in rules.items():
        answer = ask(client, line, rule, {"<str:backfill_id>": "0" * 32, "<str:letter_id>": "0" * 32})
        shown[line] = str(answer.headers) + b"".join(answer).decode()
    return shown


def shown_by_admin(boss: Client) -> dict[str, str]:
    """Every page of the admin."""
    shown = {}
    for page in admin.site._registry:
        url = f"/admin/{page._meta.app_label}/{page._meta.model_name}/"
        shown[url] = boss.get(url).content.decode() + boss.get(f"{url}add/").content.decode()
    return shown


def run(*words: str) -> None:
    with pytest.raises(SystemExit):
        main(words)


@pytest.mark.once
@pytest.mark.django_db
def test_no_surface_shows_a_secret(
    given: Given,
    probes: None,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-{CANARY}openai0123456789")
    given(**PLANTED)
    boss = member("boss", "admin")
    text = key_of(boss, "read", "operate", "write", "admin")
    secret = text.removeprefix(ApiKey.objects.get().prefix)
    inside = Client()
    inside.force_login(boss)

    shown = shown_by_api(client_with(text), TABLE) | shown_by_admin(inside)
    settings_key = client_with(current().security.api_keys[0])
    guarded = {line: rule for line, rule in TABLE.items() if rule.level is not None}
    again = shown_by_api(settings_key, guarded)
    shown |= {f"settings key: {line}": value for line, value in again.items()}
    wrong = client_with(f"{CANARY}-wrong-key")
    shown["a wrong key"] = ask(wrong, "GET api/v1/stats", Rule(None), {}).content.decode()
    for words in CLI:
        run(*words)
        printed = capfd.readouterr()
        shown[f"mongoclaw {' '.join(words)}"] = printed.out + printed.err
    assert all(shown[f"mongoclaw {' '.join(words)}"] for words in CLI), "nothing was printed"

    leaks = [place for place, what in shown.items() if CANARY in what or secret in what]
    assert leaks == []
    assert ApiKey.objects.get().prefix in shown["/admin/mongoclaw_project/apikey/"], (
        "it does look at the right pages"
    )


def warnings(**extra: Any) -> list[str]:
    spec = {
        "id": "a",
        "name": "A",
        "watch": {"database": "shop", "collection": "tickets"},
        "ai": {
            "provider": "external",
            "model": "m",
            "prompt": "x",
            "extra_params": {"external_url": "http://h", **extra},
        },
        "write": {"target_field": "ai"},
    }
    return list(secret_check.check(parse_spec(spec).spec))


def test_a_secret_that_stands_in_an_agent_is_warned_of_and_not_repeated() -> None:
    [token] = warnings(external_auth_token=CANARY)
    [header] = warnings(external_headers={"X-API-Key": CANARY, "X-Team": "a"})
    assert token.startswith("ai.extra_params.external_auth_token: ")
    assert header.startswith("ai.extra_params.external_headers.X-API-Key: ")
    assert CANARY not in token + header
    assert warnings(external_auth_token="env:TEAM_TOKEN") == []
