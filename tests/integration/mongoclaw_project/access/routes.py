"""All routes but those of the admin: what each asks for, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import Client

from executions_app.console.actions import ACTIONS
from executions_app.console.panels import PANELS
from mongoclaw_project.access.levels import Scope

Ids = dict[str, str]
"""What the parameters of routes stand for."""

READ, OPERATE, WRITE, ADMIN = Scope
PUBLIC = None
"""Open to everybody; tests of health and of the front door ask these routes."""

SPEC = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets"},
    "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
    "write": {"target_field": "ai"},
}
TRIGGER = {"event_type": "trigger", "data": {"agent_id": "triage", "document": {}}}


@dataclass(frozen=True)
class Rule:
    """What a route asks for; what a key that is bound to another agent gets, and with which query and body."""

    level: Scope | None
    unseen: int | None = None
    query: str = ""
    body: Mapping[str, object] | None = None


TABLE: dict[str, Rule] = {
    "GET ": Rule(PUBLIC),
    "GET health": Rule(PUBLIC),
    "GET health/live": Rule(PUBLIC),
    "GET health/ready": Rule(PUBLIC),
    "GET health/detailed": Rule(PUBLIC),
    "GET version": Rule(PUBLIC),
    "GET openapi.json": Rule(PUBLIC),
    "GET api/v1/schema": Rule(PUBLIC),
    "GET docs": Rule(PUBLIC),
    "GET metrics": Rule(READ, unseen=403),
    "GET api/v1/agents": Rule(READ, unseen=200),
    "POST api/v1/agents": Rule(WRITE, unseen=403, body=SPEC),
    "POST api/v1/agents/validate": Rule(READ, unseen=200, body={"id": "other"}),
    "GET api/v1/agents/<str:agent_id>": Rule(READ, unseen=404),
    "PUT api/v1/agents/<str:agent_id>": Rule(WRITE, unseen=404, body={"name": "New"}),
    "POST api/v1/agents/<str:agent_id>/disable": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/enable": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/validate": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/versions": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/versions/<int:number>": Rule(READ, unseen=404),
    "GET api/v1/agents/<str:agent_id>/diff": Rule(READ, unseen=404, query="from=1"),
    "POST api/v1/agents/<str:agent_id>/rollback": Rule(WRITE, unseen=404, body={"version": 1}),
    "GET api/v1/policies": Rule(READ, unseen=200),
    "POST api/v1/policies": Rule(WRITE, unseen=403, body={"name": "new", "condition": "result.a == 1"}),
    "GET api/v1/policies/<str:name>": Rule(READ, unseen=404),
    "PUT api/v1/policies/<str:name>": Rule(WRITE, unseen=404, body={"condition": "result.a == 2"}),
    "GET api/v1/policies/<str:name>/versions": Rule(READ, unseen=404),
    "GET api/v1/policies/<str:name>/versions/<int:number>": Rule(READ, unseen=404),
    "GET api/v1/policies/<str:name>/diff": Rule(READ, unseen=404, query="from=1"),
    "POST api/v1/policies/<str:name>/rollback": Rule(WRITE, unseen=404, body={"version": 1}),
    "DELETE api/v1/policies/<str:name>": Rule(WRITE, unseen=404),
    "GET api/v1/agents/<str:agent_id>/stats": Rule(READ, unseen=404),
    "POST api/v1/agents/<str:agent_id>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/agents/<str:agent_id>/resume": Rule(OPERATE, unseen=404),
    "GET api/v1/dispatch": Rule(READ, unseen=200),
    "POST api/v1/dispatch/pause": Rule(OPERATE, unseen=403),
    "POST api/v1/dispatch/resume": Rule(OPERATE, unseen=403),
    "GET api/v1/executions": Rule(READ, unseen=200),
    "GET api/v1/executions/stats": Rule(READ, unseen=200),
    "GET api/v1/executions/agent/<str:agent_id>": Rule(READ, unseen=404),
    "GET api/v1/executions/<str:execution_id>": Rule(READ, unseen=404),
    "GET api/v1/executions/<str:execution_id>/trace": Rule(READ, unseen=404),
    "POST api/v1/executions/<str:execution_id>/cancel": Rule(OPERATE, unseen=404),
    "GET api/v1/dead-letters": Rule(READ, unseen=200),
    "GET api/v1/dead-letters/export": Rule(READ, unseen=200),
    "GET api/v1/dead-letters/<str:letter_id>": Rule(READ, unseen=404),
    "POST api/v1/dead-letters/discard": Rule(OPERATE, unseen=200, body={"all": True, "why": "x"}),
    "POST api/v1/dead-letters/restore": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/dead-letters/requeue": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/executions/retry": Rule(OPERATE, unseen=200, body={"all": True}),
    "POST api/v1/executions/<str:execution_id>/retry": Rule(OPERATE, unseen=404),
    "GET api/v1/backfills": Rule(READ, unseen=200),
    "POST api/v1/backfills": Rule(OPERATE, unseen=404, body={"agent_id": "triage"}),
    "GET api/v1/backfills/<str:backfill_id>": Rule(READ, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/resume": Rule(OPERATE, unseen=404),
    "POST api/v1/backfills/<str:backfill_id>/cancel": Rule(OPERATE, unseen=404),
    "GET api/v1/stats": Rule(READ, unseen=200),
    "GET api/v1/gaps": Rule(READ, unseen=200),
    "GET api/v1/gaps/<str:gap_id>": Rule(READ, unseen=404),
    "POST api/v1/gaps/<str:gap_id>/close": Rule(OPERATE, unseen=404),
    "GET api/v1/streams": Rule(READ, unseen=200),
    "GET api/v1/streams/<str:database>": Rule(READ, unseen=404),
    "POST api/v1/streams/<str:database>/pause": Rule(OPERATE, unseen=404),
    "POST api/v1/streams/<str:database>/resume": Rule(OPERATE, unseen=404),
    "POST api/v1/streams/<str:database>/partition": Rule(OPERATE, unseen=404, body={"parts": 1}),
    "POST api/v1/streams/<str:database>/position": Rule(OPERATE, unseen=404, body={"now": True}),
    "POST api/v1/streams/<str:database>/replay": Rule(OPERATE, unseen=404, body={"from": "-1s"}),
    "GET api/v1/catalog/overview": Rule(READ, unseen=200),
    "GET api/v1/catalog/collection-profile": Rule(READ, unseen=404, query="database=shop&collection=tickets"),
    "POST api/v1/webhooks/trigger/<str:agent_id>": Rule(OPERATE, unseen=404, body={"document": {}}),
    "POST api/v1/webhooks/custom": Rule(OPERATE, unseen=404, body=TRIGGER),
    "POST api/v1/webhooks/alert": Rule(OPERATE, body={"event_type": "alarm", "data": {}}),
    "POST api/v1/webhooks/github": Rule(PUBLIC),
    "POST api/v1/webhooks/slack": Rule(PUBLIC),
    "DELETE api/v1/agents/<str:agent_id>": Rule(WRITE, unseen=404),
}
"""In this order: what ends an agent or a letter comes after what asks for it; only an enabled agent has a stream."""

PEOPLE: dict[str, tuple[Scope | None, tuple[str, ...]]] = {
    "GET ui/login": (PUBLIC, ()),
    "GET ui/logout": (PUBLIC, ()),
    "GET ui/": (PUBLIC, ()),
    "GET ui/panels/<slug:name>": (READ, tuple(f"ui/panels/{name}" for name in PANELS)),
    "GET ui/runs/<slug:execution_id>": (READ, ("ui/runs/0123456789abcdef",)),
    "GET ui/actions/<slug:name>": (OPERATE, tuple(f"ui/actions/{name}" for name in ACTIONS)),
    "GET admin/try/agent/": (WRITE, ("admin/try/agent/?agent=triage",)),
    "GET admin/try/policy/": (READ, ("admin/try/policy/?agent=triage",)),
}
"""Pages for people who are signed in; a key opens none of them."""


def named(line: str, ids: Ids) -> str:
    for name, value in ids.items():
        line = line.replace(name, value)
    return line


def ask(client: Client, line: str, rule: Rule, ids: Ids) -> Any:
    method, _, route = named(line, ids).partition(" ")
    url = f"/{route}?{rule.query}"
    return client.generic(method, url, json.dumps(rule.body or {}), content_type="application/json")
