"""Switching agents on and off."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry

from agents_app import publish
from executions_app.console.chosen import chosen_agent
from executions_app.console.question import Choice, Question
from executions_app.console.viewer import Viewer


def ask_enable(viewer: Viewer, choice: Choice) -> Question:
    """Ask before an agent works. Raises AgentNotFound."""
    agent = chosen_agent(viewer, choice)
    return Question(
        title=f"Enable {agent.pk}?",
        subject=agent.name,
        consequence="It works on changes from now on, and on the runs that wait for it. Each may call the model, "
        "and that may cost money. What changed while it was disabled is not made up for; a backfill does that.",
        button="Enable",
        kept={"agent": agent.pk},
    )


def ask_disable(viewer: Viewer, choice: Choice) -> Question:
    """Ask before an agent rests. Raises AgentNotFound."""
    agent = chosen_agent(viewer, choice)
    return Question(
        title=f"Disable {agent.pk}?",
        subject=agent.name,
        consequence="Changes from now on pass it unseen. Runs on record wait until it is enabled again; "
        "those that have begun end.",
        button="Disable",
        is_loss=True,
        kept={"agent": agent.pk},
    )


def enable(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Switch the agent on. Raises AgentNotFound."""
    return _switch(user, choice, now, enabled=True)


def disable(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Switch the agent off. Raises AgentNotFound."""
    return _switch(user, choice, now, enabled=False)


def _switch(user: Any, choice: Choice, now: datetime, *, enabled: bool) -> tuple[tuple[str, str], ...]:
    agent = publish.set_enabled(choice["agent"], enabled, now=now)
    word = "Enabled" if enabled else "Disabled"
    LogEntry.objects.log_actions(user.pk, [agent], CHANGE, f"{word} in the console.", single_object=True)
    return (("success", f"{word}: {agent.pk}."),)
