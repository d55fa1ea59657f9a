"""Examining the agents: their health, their models and their keys."""

from __future__ import annotations

from collections.abc import Iterator

from agents_app import registry
from agents_app.errors import MongoClawError
from agents_app.models import Agent, Health
from agents_app.spec import AgentSpec, dump_json, parse_spec
from enrichment.providers import provider_for, route
from executions_app.provider_config import provider_config
from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good


def specs() -> list[AgentSpec]:
    """What the agents at work say. Raises SqlUnusable."""
    with sql.explained():
        return [agent.spec for agent in registry.active_agents()]


def examine_agents() -> Iterator[Finding]:
    """Look at each agent that is enabled."""
    try:
        found = specs()
        with sql.explained():
            unhealthy = dict(
                Agent.objects.filter(enabled=True, archived_at=None, health=Health.UNHEALTHY).values_list(
                    "id", "health_reason"
                )
            )
    except sql.SqlUnusable as error:
        yield bad(f"agents are not known: {error.what}", error.remedy)
        return
    if not found:
        yield doubtful("no agent is enabled", "create one: `mongoclaw agents create -f FILE`")
    for spec in found:
        yield from _agent(spec, unhealthy.get(spec.id))


def _agent(spec: AgentSpec, sickness: str | None) -> Iterator[Finding]:
    findings = [*_sickness(spec, sickness), *_model(spec), *_key(spec)]
    if not findings:
        yield good(f"{spec.id}: {spec.ai.provider}/{spec.ai.model}, answered by {_answerer(spec)}")
    yield from findings


def _sickness(spec: AgentSpec, sickness: str | None) -> Iterator[Finding]:
    if sickness is not None:
        yield bad(
            f"{spec.id} is unhealthy: {sickness}",
            f"mend it and publish it again: `mongoclaw agents update -f FILE` (id {spec.id})",
        )


def _model(spec: AgentSpec) -> Iterator[Finding]:
    # Rules may have become stricter since it was published.
    try:
        warnings = parse_spec(dump_json(spec)).warnings
    except MongoClawError as error:
        yield doubtful(f"{spec.id} could not be published today: {error}", "mend it at the next opportunity")
        return
    for warning in warnings:
        if warning.startswith(("ai.model", "ai.provider")):
            yield doubtful(f"{spec.id}: {warning}", "correct the name, if it is not meant so")


def _key(spec: AgentSpec) -> Iterator[Finding]:
    try:
        provider_for(spec.ai, provider_config())
    except MongoClawError as error:
        yield bad(
            f"{spec.id}: {error}",
            "the environment of the workers counts; this is the doctor's, so run it where they run",
        )


def _answerer(spec: AgentSpec) -> str:
    chosen = route(spec.ai, provider_config())
    return "the sandbox model, which is no language model" if chosen == "sandbox" else chosen
