"""A model call under limits: admitted, made, and reported; or put off with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from agents_app import registry
from agents_app.errors import MongoClawError, VersionUnreadable
from executions_app.limits import Refused, Rules, Spent, most_of_a_call, rules_of
from executions_app.run import Claimed, Postponement
from executions_app.states import Reason
from tasks.asking import Given, Question, Usage, ask, has_answer
from tasks.compiled import CompiledAgent
from tasks.runtime import Runtime

BYTES_PER_TOKEN: Final = 4
"""A guess for what is reserved until the provider has counted."""

SPREAD_SECONDS: Final = 0.5
SPREAD_SHARE: Final = 0.1
"""Rows that wait for one moment come back spread over a little time after it."""

LONGEST_SECONDS: Final = 60.0
"""A limit may be raised and a pause lifted; dispatch asks first, so that a row which comes back early costs nothing."""

SETTLING_SECONDS: Final = 2.0
"""Calls in the air take most of a budget for as long as they last: what they leave of it is free soon."""

_BUDGETS: Final = frozenset({Reason.TOKEN_LIMIT, Reason.COST_LIMIT})


def put_off(runtime: Runtime, refused: Refused) -> Postponement:
    """Let the row wait as long as asking again is of no use, a minute at most. No attempt is burnt."""
    seconds = min(refused.seconds, SETTLING_SECONDS if refused.reason in _BUDGETS else LONGEST_SECONDS)
    seconds += runtime.uniform(0.0, SPREAD_SECONDS + SPREAD_SHARE * seconds)
    return Postponement(reason=refused.reason, due_at=runtime.now() + timedelta(seconds=seconds))


def held_up(runtime: Runtime, run: Claimed, rules: Rules) -> Postponement | None:
    """Say before anything is read whether there is any use in going on: whoever has an answer needs no call."""
    if runtime.stopping.is_set():
        return _handed_back(runtime)
    refused = runtime.gate.held_up(rules)
    return None if refused is None or has_answer(run) else put_off(runtime, refused)


def present_rules(agent: CompiledAgent, version: int, current: int) -> Rules:
    """Return a run's rules: its own version says what is called, the agent's current one within which limits.

    Whoever raises a limit means what waits for it.
    """
    if version == current:
        return agent.rules
    try:
        return agent.rules.within(rules_of(registry.spec_of(current)))
    except VersionUnreadable:
        return agent.rules


def ask_admitted(question: Question, rules: Rules, usage: Usage) -> Given | Postponement:
    """Ask the model if the limits let it be asked. Raises what `ask` raises."""
    gate = question.runtime.gate
    if question.runtime.stopping.is_set():
        return _handed_back(question.runtime)
    run = f"{question.run.id}:{question.run.claim}"
    admitted = gate.enter(rules, run, most=_most_of(question, rules))
    if isinstance(admitted, Refused):
        return put_off(question.runtime, admitted)
    before = replace(usage)
    try:
        given = ask(question, usage)
    except MongoClawError as error:
        if usage.calls > before.calls:
            gate.heard(rules, error)
        raise
    else:
        gate.heard(rules, None)
        return given
    finally:
        gate.leave(rules, admitted, _spent(before, usage))


def _handed_back(runtime: Runtime) -> Postponement:
    return Postponement(reason=Reason.HANDED_BACK, due_at=runtime.now())


def _most_of(question: Question, rules: Rules) -> Spent:
    rendered = question.rendered
    prompt = (len(rendered.user) + len(rendered.system or "")) // BYTES_PER_TOKEN
    return most_of_a_call(question.agent.spec, rules, prompt_tokens=prompt)


def _spent(before: Usage, after: Usage) -> Spent:
    return Spent(
        calls=after.calls - before.calls,
        tokens=after.tokens - before.tokens,
        nanousd=after.known_nanousd - before.known_nanousd,
    )
