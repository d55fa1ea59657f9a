"""What a webhook of our own format says, and what it does (peer contract §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.exceptions import PermissionDenied

from agents_app import listing
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec.plain import text_problem
from executions_app import holds
from executions_app.mongodb import mongodb
from executions_app.text import storable
from executions_app.triggers.entering import trigger
from executions_app.triggers.wanted import KEY_LENGTH, is_key, read_wanted
from executions_app.webhooks.deliveries import Marked, Reply, afterwards, once

LONGEST_TYPE: Final = 200
KEY: Final = "idempotency_key"
TRIGGER: Final = "trigger"


@dataclass(frozen=True, slots=True)
class Event:
    """`{"event_type": …, "data": {…}}`."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends it, and which agents they may see (None is all).

    `key` is the Idempotency-Key of what they ask for, `request_id` names the HTTP request.
    """

    name: str
    agents: frozenset[str] | None = None
    key: str | None = None
    request_id: str | None = None


def read_event(body: object) -> Event:
    """Read a body. Raises SpecInvalid with every problem."""
    if not isinstance(body, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    kind, data, timestamp = body.get("event_type"), body.get("data"), body.get("timestamp")
    problems = []
    if not isinstance(kind, str) or not 0 < len(kind) <= LONGEST_TYPE:
        problems.append(SpecProblem("event_type", f"must be text of 1 to {LONGEST_TYPE} characters"))
    if not isinstance(data, Mapping):
        problems.append(SpecProblem("data", "must be an object"))
    if timestamp is not None and not isinstance(timestamp, str):
        problems.append(SpecProblem("timestamp", "must be text"))
    if problems or not isinstance(data, Mapping):
        raise SpecInvalid(errors=problems)
    return Event(storable(str(kind)), data)


def obey(event: Event, sender: Sender, marked: Marked) -> Reply:
    """Do what an event asks for, once. Raises what the acts raise, and PermissionDenied."""
    if event.kind == TRIGGER:
        return afterwards(marked, lambda: _trigger(event, sender, marked))
    return once(marked, lambda: _act(event, sender, marked))


def alarm(event: Event) -> Reply:
    """Answer an alert."""
    name = event.data.get("alert_name")
    known = storable(name[:LONGEST_TYPE]) if isinstance(name, str) and name else "unknown"
    return Reply(f"Alert '{known}' processed")


def _act(event: Event, sender: Sender, marked: Marked) -> Reply:
    match event.kind:
        case "reload_agents":
            return Reply("Agent reload triggered")  # agents are read fresh, always
        case "pause_processing":
            _refuse_bound(sender)
            told = event.data.get("reason")
            why = (
                told[: holds.LONGEST_WHY] if isinstance(told, str) else ""
            )  # a long one must not stop the stopping
            holds.pause(holds.ALL, by=sender.name, why=why, now=marked.now)
            return Reply("Processing paused")
        case "resume_processing":
            _refuse_bound(sender)
            holds.resume(holds.ALL, by=sender.name, now=marked.now)
            return Reply("Processing resumed")
        case kind:
            return Reply(f"Event '{kind}' received")


def _trigger(event: Event, sender: Sender, marked: Marked) -> Reply:
    body = dict(event.data)
    agent_id = body.pop("agent_id", None)
    if not isinstance(agent_id, str) or text_problem(agent_id):
        raise SpecInvalid(errors=[SpecProblem("data.agent_id", "must be text")])
    try:
        key = _signed_key(body.pop(KEY, None))
        wanted = read_wanted(body)
    except SpecInvalid as error:
        placed = [SpecProblem(f"data.{one.path}".rstrip("."), one.message) for one in error.errors]
        raise SpecInvalid(errors=placed) from None
    agent_id = listing.seen(agent_id, sender.agents).id
    if key and sender.key and key != sender.key:
        raise SpecInvalid(errors=[SpecProblem(f"data.{KEY}", "is another one than the header's: give one")])
    key = key or sender.key or (f"webhook:{marked.mark}" if marked.mark else None)
    by, request_id = sender.name, sender.request_id
    run = trigger(mongodb(), agent_id, wanted, key=key, by=by, request_id=request_id, now=marked.now)
    return Reply(f"Agent '{agent_id}' triggered", run.id)


def _signed_key(told: object) -> str | None:
    if told is None:
        return None
    if not isinstance(told, str) or text_problem(told) or not is_key(told):
        raise SpecInvalid(errors=[SpecProblem(KEY, f"must be text of 1 to {KEY_LENGTH} characters")])
    return told.strip()


def _refuse_bound(sender: Sender) -> None:
    if sender.agents is not None:
        raise PermissionDenied("This key is bound to some agents: pause or resume those")
