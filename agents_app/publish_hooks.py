"""The checks that the project injects into publishing, named in the settings …_PUBLISH_CHECKS."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from agents_app.policies import PolicyCheck
from agents_app.publish import PublishCheck


def checks() -> tuple[PublishCheck, ...]:
    """Return the checks by their dotted names. Raises ImportError if there is no such name."""
    return tuple(import_string(name) for name in getattr(settings, "AGENT_PUBLISH_CHECKS", ()))


def policy_checks() -> tuple[PolicyCheck, ...]:
    """Return the checks of shared policies likewise."""
    return tuple(import_string(name) for name in getattr(settings, "POLICY_PUBLISH_CHECKS", ()))
