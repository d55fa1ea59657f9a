"""People at the console, for its tests."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from agents_app.models import Agent
from executions_app.console.viewer import ALL

VIEW = tuple(name for name in ALL if ".view_" in name)
PANELS = ("summary", "charts", "agents", "letters", "runs", "processes", "holds", "failures", "spending")


def person(name: str, *permissions: str) -> Client:
    """Make a user with these permissions (`app.codename`), and a browser in which that user is signed in."""
    made = User.objects.create(username=name)
    for permission in permissions:
        app, codename = permission.split(".")
        made.user_permissions.add(_permission(app, codename))
    browser = Client()
    browser.force_login(made)
    return browser


def _permission(app: str, codename: str) -> Permission:
    found = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    if found is not None:
        return found
    return Permission.objects.create(
        content_type=ContentType.objects.get_for_model(Agent), codename=codename, name=codename
    )


def panel(browser: Client, name: str, **choices: str) -> str:
    """Fetch a panel."""
    answer = browser.get(reverse("console:panel", args=[name]), choices)
    assert answer.status_code == 200, answer.content.decode()[:300]
    return answer.content.decode()
