"""`mongoclaw policies`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from agents_app import policies as publishing
from agents_app import policy_listing
from agents_app.agent_wire import version_json
from agents_app.diff import diff as compare
from agents_app.diff import lines_json
from agents_app.errors import PolicyNotFound, SpecInvalid
from agents_app.models import Policy
from agents_app.policies import PolicyResult
from agents_app.policy_use import users_of
from agents_app.policy_versions import again, numbered, text_of
from agents_app.policy_wire import policy_json, version_content_json
from agents_app.publish_hooks import policy_checks
from agents_app.spec import ParsedPolicy, load_policy, write_policy
from mongoclaw_project.cli.output import done, note, show
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.problems import named, warn
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table
from mongoclaw_project.cli.text_file import read_text

_NAME = click.argument("name", metavar="NAME")
_FILE = click.argument("path", metavar="FILE")
_YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
SHOWN_HASH = 12


@click.group(cls=SqlGroup)
def policies() -> None:
    """Look at the policies that agents share, publish them and go back on them."""


@policies.command("list")
def list_() -> None:
    """List the policies and the agents that use them."""
    rows = list(policy_listing.listed())
    users = policy_listing.users([policy.name for policy in rows])
    found = [policy_json(policy, users[policy.name]) for policy in rows]
    lines = [
        (one["name"], one["version"], one["condition"], one["action"], ", ".join(one["used_by"]) or None)
        for one in found
    ]
    empty = "There are no shared policies yet: `mongoclaw policies publish FILE` makes one."
    headers = ("Name", "Version", "Condition", "Action", "Used by")
    show(
        {"policies": found, "total": len(found)},
        text=Table(headers, lines, elastic=(2, 4)) if lines else empty,
    )


@policies.command("show")
@_NAME
@click.option("--version", "number", type=int, metavar="N", help="As it was by an earlier version.")
def show_(name: str, number: int | None) -> None:
    """Show a policy as the YAML that `publish` takes."""
    policy = publishing.get(name)
    version, data = policy.current_version, policy_json(policy, users_of(name))
    if number is not None:
        version = numbered(policy, number)
        data = version_content_json(policy, version)
    show(data, text=text_of(policy, version).rstrip("\n"))


@policies.command()
@_FILE
@_YES
def publish(path: str, *, yes: bool) -> None:
    """Publish a policy from a file, YAML or JSON; `-` reads standard input. Its `name` says which.

    Every agent that uses it is published again with it, all of them or none; you are asked before.
    """
    parsed = _read(path)
    policy = _known(parsed.spec.name)
    if policy is not None:
        _ask(policy, parsed, yes=yes)
    try:
        result = _publish(parsed, policy)
    except SpecInvalid as error:
        raise named(error, path) from error
    told = "Created policy" if policy is None else "Published policy"
    same = policy is not None and policy.revision == result.policy.revision
    _tell(
        f"Policy '{policy}' was so already; nothing changed" if same else f"{told}: {policy_of(result)}",
        result,
    )


@policies.command()
@_FILE
def validate(path: str) -> None:
    """Check a policy as publishing would, without publishing it."""
    parsed = _read(path)
    try:
        warnings = (*parsed.warnings, *publishing.run_checks(parsed.spec, policy_checks()))
    except SpecInvalid as error:
        raise named(error, path) from error
    warn(warnings)
    done(f"Policy '{parsed.spec.name}' is valid", name=parsed.spec.name, warnings=list(warnings))


@policies.command()
@_NAME
def versions(name: str) -> None:
    """List the versions of a policy, newest first."""
    policy = publishing.get(name)
    found = [version_json(row, current_id=policy.current_version_id) for row in policy.versions.all()]
    lines = [
        (
            one["number"],
            one["is_current"],
            one["published_by"],
            one["created_at"],
            one["content_hash"][:SHOWN_HASH],
        )
        for one in found
    ]
    show(
        {"name": name, "versions": found},
        text=Table(("Version", "Current", "Published by", "At", "Hash"), lines),
    )


@policies.command()
@_NAME
@click.argument("old", metavar="FROM", type=int)
@click.argument("new", metavar="[TO]", type=int, required=False)
def diff(name: str, old: int, new: int | None) -> None:
    """Show what changed from one version of a policy to another, or to the current one."""
    policy = publishing.get(name)
    before = numbered(policy, old)
    after = policy.current_version if new is None else numbered(policy, new)
    lines = compare(text_of(policy, before), text_of(policy, after))
    numbers = {"from_version": old, "to_version": after.number if after else None}
    text = "\n".join(f"{line.change.value} {line.text}" for line in lines)
    show(
        {"name": name, **numbers, "lines": lines_json(lines)},
        text=text or "They say the same.",
    )


@policies.command()
@_NAME
@click.argument("number", metavar="VERSION", type=int)
@_YES
def rollback(name: str, number: int, *, yes: bool) -> None:
    """Publish what an earlier version of a policy says once more, and the agents that use it with it."""
    policy = publishing.get(name)
    parsed = again(policy, numbered(policy, number))
    _ask(policy, parsed, yes=yes)
    result = _publish(parsed, policy)
    _tell(f"Version {number} of policy '{name}' is current again", result)


@policies.command()
@_NAME
@_YES
def delete(name: str, *, yes: bool) -> None:
    """Delete a policy that no agent uses. Its versions stay on record."""
    policy = publishing.get(name)
    if not yes and not users_of(name):
        click.confirm(f"Delete policy '{name}'?", abort=True, err=True)
    publishing.archive(name, now=_now(), if_revision=policy.revision)
    done(f"Deleted policy: {name}", name=name)


def policy_of(result: PolicyResult) -> str:
    """Name a policy and its current version."""
    return f"{result.policy.name} (version {result.version.number})"


def _read(path: str) -> ParsedPolicy:
    """Read a policy's file. Raises SpecInvalid, or CommandFailed if there is no text to read."""
    try:
        return load_policy(read_text(path), source=path)
    except SpecInvalid as error:
        raise named(error, path) from error


def _known(name: str) -> Policy | None:
    try:
        return publishing.get(name)
    except PolicyNotFound:
        return None


def _ask(policy: Policy, parsed: ParsedPolicy, *, yes: bool) -> None:
    """Ask before agents change, with what changes. Whoever answers has seen this state of the policy."""
    spec = parsed.spec
    before, after = (
        text_of(policy, policy.current_version),
        write_policy(spec.name, spec.description or "", spec.content),
    )
    users: Sequence[str] = users_of(policy.name)
    if yes or not users or before == after:
        return
    for line in compare(before, after):
        note(f"{line.change.value} {line.text}")
    note(f"These agents use it and are published again with it: {', '.join(users)}.")
    click.confirm("Go on?", abort=True, err=True)


def _publish(parsed: ParsedPolicy, policy: Policy | None) -> PolicyResult:
    return publishing.publish(
        parsed,
        by=somebody(),
        now=_now(),
        checks=policy_checks(),
        must_be_new=policy is None,
        if_revision=None if policy is None else policy.revision,
    )


def _tell(message: str, result: PolicyResult) -> None:
    warn(result.warnings)
    if result.agents:
        note(f"Published again with it: {', '.join(result.agents)}.")
    done(
        message,
        name=result.policy.name,
        version=result.version.number,
        published=list(result.agents),
        warnings=list(result.warnings),
    )


def _now() -> datetime:
    return datetime.now(UTC)
