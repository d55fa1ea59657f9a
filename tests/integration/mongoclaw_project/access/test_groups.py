"""The groups that every database has."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from mongoclaw_project.access.groups import make_groups
from mongoclaw_project.access.levels import GROUPS

pytestmark = pytest.mark.django_db


def held(group: str) -> set[str]:
    rows = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def migrated() -> None:
    for app in apps.get_app_configs():
        make_groups(app, using="default")


@pytest.mark.parametrize("name", list(GROUPS))
def test_a_new_database_has_the_groups_with_what_the_table_says(name: str) -> None:
    assert held(name) == GROUPS[name]


def test_groups_are_right_again_after_the_next_migration_and_others_are_left_alone() -> None:
    viewer, own = Group.objects.get(name="viewer"), Group.objects.create(name="auditors")
    delete = Permission.objects.get(codename="delete_agent")
    own.permissions.add(delete)
    viewer.permissions.set([delete])
    Group.objects.get(name="editor").delete()

    migrated()

    assert {name: held(name) for name in GROUPS} == dict(GROUPS)
    assert held("auditors") == {"agents_app.delete_agent"}
