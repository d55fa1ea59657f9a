"""Who may open which page of the admin, and do what there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from mongoclaw_project.access.levels import GROUPS
from tests.integration.mongoclaw_project.access.conftest import member

NAMES = list(GROUPS)
EVERYBODY, FROM_OPERATOR, FROM_EDITOR, ADMIN_ONLY = NAMES, NAMES[1:], NAMES[2:], NAMES[3:]

PAGES: dict[str, tuple[list[str], list[str]]] = {
    # who sees the list, who may add
    "agents_app.agent": (EVERYBODY, FROM_EDITOR),
    "agents_app.agentversion": (EVERYBODY, []),
    "agents_app.policy": (EVERYBODY, FROM_EDITOR),
    "auth.group": (ADMIN_ONLY, ADMIN_ONLY),
    "auth.user": (ADMIN_ONLY, ADMIN_ONLY),
    "executions_app.backfill": (EVERYBODY, FROM_OPERATOR),
    "executions_app.deadrun": (EVERYBODY, []),
    "executions_app.execution": (EVERYBODY, []),
    "executions_app.hold": (EVERYBODY, []),
    "executions_app.hourtally": (EVERYBODY, []),
    "executions_app.notification": (EVERYBODY, []),
    "executions_app.straymessage": (EVERYBODY, []),
    "executions_app.streamgap": (EVERYBODY, []),
    "executions_app.workerprocess": (EVERYBODY, []),
    "mongoclaw_project.apikey": (EVERYBODY, EVERYBODY),
}
ACTIONS: dict[str, list[str]] = {
    "agents_app.agent: delete_selected": FROM_EDITOR,
    "agents_app.agent: disable": FROM_OPERATOR,
    "agents_app.agent: enable": FROM_OPERATOR,
    "agents_app.agentversion: make_current": FROM_EDITOR,
    "auth.group: delete_selected": ADMIN_ONLY,
    "auth.user: delete_selected": ADMIN_ONLY,
    "executions_app.backfill: cancel": FROM_OPERATOR,
    "executions_app.backfill: pause": FROM_OPERATOR,
    "executions_app.backfill: resume": FROM_OPERATOR,
    "executions_app.deadrun: discard": FROM_OPERATOR,
    "executions_app.deadrun: requeue": FROM_OPERATOR,
    "executions_app.deadrun: restore": FROM_OPERATOR,
    "executions_app.execution: run_again": FROM_OPERATOR,
    "executions_app.hold: resume": FROM_OPERATOR,
    "executions_app.notification: send_again": FROM_OPERATOR,
    "executions_app.straymessage: discard": FROM_OPERATOR,
    "executions_app.straymessage: restore": FROM_OPERATOR,
    "executions_app.streamgap: backfill": FROM_OPERATOR,
    "executions_app.streamgap: close": FROM_OPERATOR,
    "mongoclaw_project.apikey: revoke": EVERYBODY,
    "mongoclaw_project.apikey: rotate": EVERYBODY,
}


def name_of(page: admin.ModelAdmin[Any]) -> str:
    return str(page.opts.label_lower)


def test_every_page_is_in_the_table() -> None:
    assert sorted(map(name_of, admin.site._registry.values())) == sorted(PAGES)


def test_every_action_says_which_permission_it_asks_for() -> None:
    open_to_all = [
        f"{name_of(page)}: {name}"
        for page in admin.site._registry.values()
        for action, name, _ in page._get_base_actions()  # type: ignore[attr-defined]
        if not getattr(action, "allowed_permissions", None)
    ]
    assert open_to_all == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*NAMES, "stranger"])
def test_who_may_open_and_do_what(name: str) -> None:
    user = member(name, *([name] if name in GROUPS else []))
    client = Client()
    client.force_login(user)
    request = RequestFactory().get("/")
    request.user = user
    offered: set[str] = set()
    for page in admin.site._registry.values():
        url = f"/admin/{name_of(page).replace('.', '/')}/"
        may_look, may_add = (name in allowed for allowed in PAGES[name_of(page)])
        refusal = 403 if name in GROUPS else 302
        assert client.get(url).status_code == (200 if may_look else refusal), url
        assert client.get(f"{url}add/").status_code == (200 if may_add else refusal), url
        offered |= {f"{name_of(page)}: {action}" for action in page.get_actions(request)}
    assert offered == {action for action, allowed in ACTIONS.items() if name in allowed}
