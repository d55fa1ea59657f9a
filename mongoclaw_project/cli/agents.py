"""`mongoclaw agents`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from agents_app import publish as publishing
from agents_app import publish_hooks, registry
from agents_app.errors import AgentExists, AgentNotFound, SpecInvalid
from agents_app.models import Agent
from agents_app.spec import AgentSpec, ParsedSpec, dump_json, dump_yaml, load_spec, parse_spec
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.output import done, fail, note, show, to_json
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.problems import named, warn
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table
from mongoclaw_project.cli.text_file import read_text

_FILE = click.option(
    "-f", "--file", "path", required=True, metavar="FILE", help="YAML or JSON; `-` reads standard input."
)


@click.group(cls=SqlGroup)
def agents() -> None:
    """Create, change, list and check agents."""


@agents.command("list")
@click.option("--enabled-only", is_flag=True, help="Leave out disabled agents.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(*, enabled_only: bool, form: str) -> None:
    """List the agents, newest first."""
    rows = Agent.objects.filter(archived_at=None).exclude(current_version=None)
    if enabled_only:
        rows = rows.filter(enabled=True)
    found = [(agent, registry.config_of(agent)) for agent in rows.select_related("current_version")]
    data = {"agents": [_described(agent, spec) for agent, spec in found], "total": len(found)}
    if form == "json":
        click.echo(to_json(data))
        return
    lines = [_row(agent, spec) for agent, spec in found]
    empty = "There are no agents yet: `mongoclaw agents create -f FILE` makes one."
    headers = ("ID", "Name", "Collection", "Model", "Version", "Enabled", "Health")
    show(data, text=Table(headers, lines) if lines else empty)


@agents.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def get(agent_id: str, form: str) -> None:
    """Show an agent's whole configuration."""
    spec = registry.config_of(publishing.get(agent_id))
    text = dump_yaml(spec).rstrip("\n") if form == "yaml" else to_json(dump_json(spec))
    show(dump_json(spec), text=text)


@agents.command()
@_FILE
def create(path: str) -> None:
    """Create an agent from a file. It starts to work at once, unless the file says `enabled: false`."""
    parsed = _read(path)
    try:
        result = _publish(parsed, path, must_be_new=True)
    except AgentExists:
        fail(f"Agent '{parsed.spec.id}' exists already; change it with `mongoclaw agents update -f {path}`")
    _tell(f"Created agent: {result.agent.id}", result)


@agents.command()
@_FILE
def update(path: str) -> None:
    """Publish a new version of an agent from a file. Its `id` says which agent."""
    parsed = _read(path)
    try:
        before = publishing.get(parsed.spec.id).revision
    except AgentNotFound:
        fail(f"Agent '{parsed.spec.id}' not found; create it with `mongoclaw agents create -f {path}`")
    result = _publish(parsed, path)
    changed = result.agent.revision != before
    news = f"Updated agent: {result.agent.id} (version {result.version.number})"
    _tell(news if changed else f"Agent '{result.agent.id}' was so already; nothing changed", result)


@agents.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
def enable(agent_id: str) -> None:
    """Let an agent work. It answers to changes from now on, not to earlier ones."""
    agent = publishing.set_enabled(agent_id, True, now=_now())
    done(f"Enabled agent: {agent.id}", agent_id=agent.id, enabled=agent.enabled)


@agents.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
def disable(agent_id: str) -> None:
    """Let an agent rest. What waits for it stays on record until it is enabled or deleted."""
    agent = publishing.set_enabled(agent_id, False, now=_now())
    done(f"Disabled agent: {agent.id}", agent_id=agent.id, enabled=agent.enabled)


@agents.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.option("-f", "--force", "-y", "--yes", "force", is_flag=True, help="Do not ask.")
def delete(agent_id: str, *, force: bool) -> None:
    """Delete an agent. Its versions and executions stay on record."""
    agent = publishing.get(agent_id)
    if not force:
        click.confirm(f"Delete agent '{agent.id}'?", abort=True, err=True)
    publishing.archive(agent.id, now=_now())
    done(f"Deleted agent: {agent.id}", agent_id=agent.id)


@agents.command()
@click.option("-f", "--file", "path", metavar="FILE", help="YAML or JSON; `-` reads standard input.")
@click.option("--id", "agent_id", metavar="ID", help="An agent that exists.")
def validate(path: str | None, agent_id: str | None) -> None:
    """Check an agent as publishing would, without publishing it."""
    if (path is None) == (agent_id is None):
        fail("Give either --file or --id")
    if path is not None:
        parsed, source = _read(path), path
    else:
        parsed, source = _stored(str(agent_id)), str(agent_id)
    try:
        warnings = (*parsed.warnings, *publishing.run_checks(parsed.spec, publish_hooks.checks()))
    except SpecInvalid as error:
        raise named(error, source) from error
    warn(warnings)
    done(f"Agent '{parsed.spec.id}' is valid", agent_id=parsed.spec.id, warnings=list(warnings))


def _read(path: str) -> ParsedSpec:
    """Read an agent's file. Raises SpecInvalid, or CommandFailed if there is no text to read."""
    try:
        return load_spec(read_text(path), source=path)
    except SpecInvalid as error:
        raise named(error, path) from error


def _stored(agent_id: str) -> ParsedSpec:
    """An agent as it is, read by today's rules. Raises SpecInvalid, AgentNotFound."""
    try:
        return parse_spec(dump_json(registry.config_of(publishing.get(agent_id))))
    except SpecInvalid as error:
        raise named(error, agent_id) from error


def _publish(parsed: ParsedSpec, path: str, *, must_be_new: bool = False) -> publishing.PublishResult:
    try:
        return publishing.publish(
            parsed, by=somebody(), now=_now(), checks=publish_hooks.checks(), must_be_new=must_be_new
        )
    except SpecInvalid as error:
        raise named(error, path) from error


def _tell(message: str, result: publishing.PublishResult) -> None:
    warn(result.warnings)
    if not result.agent.enabled:
        note(f"It is disabled: `mongoclaw agents enable {result.agent.id}` lets it work.")
    done(
        message,
        agent_id=result.agent.id,
        version=result.version.number,
        enabled=result.agent.enabled,
        warnings=list(result.warnings),
    )


def _described(agent: Agent, spec: AgentSpec) -> dict[str, Any]:
    version = agent.current_version.number if agent.current_version else None
    health = {"published_version": version, "health": agent.health, "health_reason": agent.health_reason}
    return {**dump_json(spec), **health}


def _row(agent: Agent, spec: AgentSpec) -> tuple[object, ...]:
    place = ".".join(spec.watch_namespace)
    version = agent.current_version.number if agent.current_version else None
    return (
        agent.id,
        spec.name,
        place,
        f"{spec.ai.provider}/{spec.ai.model}",
        version,
        agent.enabled,
        agent.health,
    )


def _now() -> datetime:
    return datetime.now(UTC)
