"""Users of tests, signed in."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client


def signed_in(name: str, *permissions: str) -> Client:
    """Make a user with these permissions (code names), and a client in which that user is signed in."""
    made = User.objects.create(username=name)
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(made)
    return client
