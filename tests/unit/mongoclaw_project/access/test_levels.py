from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth import get_permission_codename

from mongoclaw_project.access.levels import (
    GROUPS,
    LEVELS,
    SUPERUSERS,
    WITHOUT_PEOPLE,
    Scope,
    permissions_of,
)

EVERY = {
    f"{model._meta.app_label}.{codename}"
    for model in apps.get_models()
    for codename in (
        *(get_permission_codename(action, model._meta) for action in model._meta.default_permissions),
        *(codename for codename, _ in model._meta.permissions),
    )
}


def test_every_permission_of_every_model_is_in_one_level_or_said_to_be_nobodys() -> None:
    given = frozenset().union(*LEVELS.values())
    assert given | SUPERUSERS == EVERY, "a permission is missing from, or too much in, access/levels.py"
    assert not given & SUPERUSERS
    assert sum(len(level) for level in LEVELS.values()) == len(given), "a permission is in two levels"


def test_each_group_may_all_that_the_one_before_may() -> None:
    viewer, operator, editor, admin = GROUPS.values()
    assert list(GROUPS) == ["viewer", "operator", "editor", "admin"]
    assert viewer < operator < editor < admin
    assert {permission for group in GROUPS.values() for permission in group} == EVERY - SUPERUSERS


@pytest.mark.parametrize("permission", sorted(GROUPS["viewer"] - LEVELS[Scope.ADMIN]))
def test_a_viewer_only_views(permission: str) -> None:
    assert permission.partition(".")[2].startswith("view_")


def test_scopes_do_not_contain_each_other() -> None:
    assert permissions_of(["operate"]) == LEVELS[Scope.OPERATE]
    assert not permissions_of(["operate"]) & permissions_of(["read"])
    assert permissions_of(["read", "operate", "scope-of-a-later-release"]) == permissions_of(
        ["operate", "read"]
    )
    assert permissions_of([]) == frozenset()


def test_a_key_of_the_settings_manages_neither_users_nor_keys() -> None:
    assert {name.partition(".")[0] for name in WITHOUT_PEOPLE} == {"admin", "agents_app", "executions_app"}
    assert {"agents_app.delete_agent", "executions_app.requeue_execution"} <= WITHOUT_PEOPLE
