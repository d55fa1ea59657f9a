"""The groups of users: made after every migration, so that they are right whatever models come."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission

from mongoclaw_project.access.levels import GROUPS


def make_groups(sender: AppConfig, using: str, **_: Any) -> None:
    """Give each group exactly the permissions of one app that its level has; other groups are left alone.

    Called by `post_migrate`, after Django has made the app's permissions.
    """
    of_app = Permission.objects.using(using).filter(content_type__app_label=sender.label)
    ids = {f"{sender.label}.{codename}": id_ for id_, codename in of_app.values_list("id", "codename")}
    if not ids:
        return
    Group.objects.using(using).bulk_create([Group(name=name) for name in GROUPS], ignore_conflicts=True)
    groups = dict(Group.objects.using(using).filter(name__in=GROUPS).values_list("name", "id"))
    wanted = {(groups[name], ids[one]) for name, allowed in GROUPS.items() for one in allowed if one in ids}
    held = Group.permissions.through.objects.using(using)
    there = held.filter(group_id__in=groups.values(), permission_id__in=ids.values())
    known = {(row.group_id, row.permission_id): row.pk for row in there}
    held.filter(pk__in=[pk for pair, pk in known.items() if pair not in wanted]).delete()
    new = [
        held.model(group_id=group, permission_id=permission) for group, permission in wanted - known.keys()
    ]
    held.bulk_create(new, ignore_conflicts=True)
