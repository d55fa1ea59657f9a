"""Holding runs back and letting them go on: of one agent, or of all."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.admin.models import CHANGE, LogEntry

from agents_app import publish
from agents_app.errors import Decision, MongoClawError
from agents_app.models import Agent
from executions_app import holds
from executions_app.console.chosen import chosen_agent
from executions_app.console.question import Choice, Question
from executions_app.console.viewer import Viewer
from executions_app.hold_wire import WHAT_RESUMING_DOES, words

_WAIT = "Runs on record wait, and those that have begun end. Changes are put on record as ever: nothing is missed."


class NotForAll(MongoClawError):
    """You are bound to some agents: pause or resume those."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "not_for_all"


def ask_pause(viewer: Viewer, choice: Choice) -> Question:
    """Ask before an agent's runs are held back. Raises AgentNotFound."""
    agent = chosen_agent(viewer, choice)
    return Question(
        title=f"Pause {agent.pk}?",
        subject=agent.name,
        consequence=_WAIT,
        button="Pause",
        is_loss=True,
        asks="why",
        kept={"agent": agent.pk},
    )


def ask_resume(viewer: Viewer, choice: Choice) -> Question:
    """Ask before an agent's runs go on. Raises AgentNotFound."""
    agent = chosen_agent(viewer, choice)
    holding = holds.in_force()
    own = holding.agents.get(agent.pk)
    still = (
        ""
        if holding.overall is None
        else " All agents are paused, and so this one stays until they are resumed."
    )
    return Question(
        title=f"Resume {agent.pk}?",
        subject="It is not paused." if own is None else words(own).capitalize(),
        consequence=WHAT_RESUMING_DOES + still,
        button="Resume",
        kept={"agent": agent.pk},
    )


def ask_pause_all(viewer: Viewer, choice: Choice) -> Question:  # noqa: ARG001  # nothing is to be chosen
    """Ask before all runs are held back. Raises NotForAll."""
    _require_all(viewer)
    return Question(
        title="Pause all agents?", consequence=_WAIT, button="Pause all", is_loss=True, asks="why"
    )


def ask_resume_all(viewer: Viewer, choice: Choice) -> Question:  # noqa: ARG001  # nothing is to be chosen
    """Ask before all runs go on. Raises NotForAll."""
    _require_all(viewer)
    overall = holds.in_force().overall
    return Question(
        title="Resume all agents?",
        subject="They are not paused." if overall is None else words(overall).capitalize(),
        consequence=f"{WHAT_RESUMING_DOES} Agents that are paused by themselves stay so.",
        button="Resume all",
    )


def pause(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Hold an agent's runs back. Raises AgentNotFound."""
    return _pause(user, publish.get(choice["agent"]), choice["why"], now)


def resume(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Let an agent's runs go on. Raises AgentNotFound."""
    return _resume(user, publish.get(choice["agent"]), now)


def pause_all(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:
    """Hold all runs back."""
    return _pause(user, None, choice["why"], now)


def resume_all(user: Any, choice: Choice, now: datetime) -> tuple[tuple[str, str], ...]:  # noqa: ARG001
    """Let all runs go on."""
    return _resume(user, None, now)


def _pause(user: Any, agent: Agent | None, why: str, now: datetime) -> tuple[tuple[str, str], ...]:
    scope, by = agent.pk if agent else holds.ALL, user.get_username()
    made = holds.pause(scope, by=by, why=why[: holds.LONGEST_WHY], now=now)
    if (made.by, made.at) != (by, now):
        return (("warning", f"{_name(agent)}: {words(made)} already."),)
    _note(user, agent, "Paused")
    return (("success", f"Paused: {_name(agent)}."),)


def _resume(user: Any, agent: Agent | None, now: datetime) -> tuple[tuple[str, str], ...]:
    scope = agent.pk if agent else holds.ALL
    if not holds.resume(scope, by=user.get_username(), now=now):
        return (("warning", f"{_name(agent)}: there was no pause to end."),)
    _note(user, agent, "Resumed")
    return (("success", f"Resumed: {_name(agent)}."),)


def _name(agent: Agent | None) -> str:
    return agent.pk if agent else "all agents"


def _note(user: Any, agent: Agent | None, word: str) -> None:
    """Write it into the agent's history; who paused all is in the holds themselves."""
    if agent is not None:
        LogEntry.objects.log_actions(user.pk, [agent], CHANGE, f"{word} in the console.", single_object=True)


def _require_all(viewer: Viewer) -> None:
    if not viewer.may_pause_all:
        raise NotForAll
