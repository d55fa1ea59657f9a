"""`mongoclaw dev`: the whole system in one terminal."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from enrichment.providers.keys import VENDORS
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import fail
from mongoclaw_project.config import Settings, environment_with_file, load_settings
from mongoclaw_project.config.environment import read
from sandbox.announcement import announced
from sandbox.child_output import TerminalSink
from sandbox.errors import SandboxError
from sandbox.flower import is_installed as flower_is_installed
from sandbox.model.latency import parse_latency
from sandbox.supervisor import StopAsked, Supervisor
from sandbox.system import System, SystemPlan, start_system

OWN_SERVERS: Final = (
    ("mongodb", "mongodb", "uri"),
    ("broker", "redis", "url"),
    ("database", "database", "url"),
)
"""What the plan calls a server, and the setting that names one of the user's own."""

SHARED: Final = (
    ("broker", "url"),
    ("broker", "sentinel_master"),
    ("broker", "sentinel_password"),
    ("worker", "routing_strategy"),
    ("worker", "routing_partition_count"),
)
"""Settings without which commands in other terminals would look for messages in the wrong place."""


@click.command(cls=Command)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Of the web server."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the servers keep their data.  [default: MONGOCLAW_STATE_DIR, or .mongoclaw]",
)
@click.option(
    "--latency-ms",
    default="200",
    show_default=True,
    help="Of the sandbox model: 200, 100-300 or lognormal:200:0.5.",
)
@click.option(
    "--flower/--no-flower",
    "use_flower",
    default=True,
    help="Show queues and workers in Flower.  [default: if it is installed]",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the addresses here as JSON when all is up.",
)
def dev(port: int, data_dir: Path | None, latency_ms: str, use_flower: bool, ready_file: Path | None) -> None:
    """Run the whole system in this terminal until Ctrl-C.

    MONGOCLAW_MONGODB__URI, MONGOCLAW_REDIS__URL and MONGOCLAW_DATABASE__URL point at servers of your own; for
    each that is not set an embedded one is started. Without a provider's API key the sandbox model answers.
    Commands in other terminals in the same folder find these servers by themselves, unless --data-dir puts the data
    elsewhere: then they need MONGOCLAW_STATE_DIR.
    """
    plan = local_plan(
        environment_with_file(os.environ),
        data_dir=data_dir,
        port=port,
        latency=latency_ms,
        use_flower=use_flower and flower_is_installed(),
    )
    try:
        with Supervisor(TerminalSink(sys.stdout)) as supervisor:
            system = start_system(plan, supervisor)
            with announced(system.addresses, plan.data_dir, plan.shared):
                _show(system, needs_state_dir=not is_found_unasked(plan))
                _run_until_stopped(system, ready_file)
    except StopAsked:
        click.echo("mongoclaw: everything is stopped")
    except SandboxError as error:
        fail(str(error))


def _run_until_stopped(system: System, ready_file: Path | None) -> None:
    if ready_file is None:
        system.supervisor.run()
        return
    system.addresses.write(ready_file)
    try:
        system.supervisor.run()
    finally:
        ready_file.unlink(missing_ok=True)


def local_plan(
    environ: Mapping[str, str],
    *,
    data_dir: Path | None,
    port: int,
    latency: str,
    use_flower: bool = False,
) -> SystemPlan:
    """What to start under these settings; raises SettingsInvalid, and BadParameter for the latency."""
    _refuse_wrong(environ, latency)
    reading = read(environ)
    given = {name: _given(reading.values, group, field) for name, group, field in OWN_SERVERS}
    own_model = _given(reading.values, "ai", "sandbox_url") is not None
    return SystemPlan(
        data_dir=(data_dir or _state_dir(reading.values)).resolve(),
        web_port=port,
        environ=environ,
        use_flower=use_flower,
        flower_port=_port(reading.values),
        use_sandbox_model=not own_model and not provider_keys(environ),
        model_latency=latency,
        make_api_key=_given(reading.values, "security", "api_keys") is None,
        shared=_shared(reading.values),
        say=lambda text: click.echo(f"mongoclaw: {text}"),
        **given,
    )


def is_found_unasked(plan: SystemPlan) -> bool:
    """Whether commands in other terminals, which look where the settings say, find this system."""
    return _state_dir(read(plan.environ).values).resolve() == plan.data_dir


def _state_dir(values: Mapping[str, object]) -> Path:
    return Path(str(values.get("state_dir", Settings.model_fields["state_dir"].default))).expanduser()


def _refuse_wrong(environ: Mapping[str, str], latency: str) -> None:
    """Look at all that is given before a server is started that would have to be stopped again."""
    load_settings(environ)
    try:
        parse_latency(latency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--latency-ms") from None


def provider_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The vendors whose key is in the environment, each with the variable's name."""
    return {
        vendor: name
        for vendor, known in VENDORS.items()
        for name in reversed(known.keys)
        if environ.get(name, "").strip()
    }


def _given(values: Mapping[str, object], group: str, field: str) -> str | None:
    fields = values.get(group)
    value = fields.get(field) if isinstance(fields, dict) else None
    return str(value) if value else None


def _shared(values: Mapping[str, object]) -> dict[str, str]:
    found = {f"{group}.{field}": _given(values, group, field) for group, field in SHARED}
    return {name: value for name, value in found.items() if value is not None}


def _port(values: Mapping[str, object]) -> int | None:
    port = _given(values, "flower", "port")
    return int(port) if port and port.isdigit() else None


def _show(system: System, *, needs_state_dir: bool) -> None:
    shown = system.addresses.without_secrets()
    lines = [
        ("Console", f"{shown.web}/ui/"),
        ("Admin", f"{shown.web}/admin/"),
        ("", f"user {system.login.username}  password {system.login.password}"),
        ("API", f"{shown.web}/docs"),
        ("API key", system.api_key or "those of MONGOCLAW_SECURITY__API_KEYS"),
        ("MongoDB", shown.mongodb),
        ("Broker", shown.broker),
        ("Database", shown.database),
        ("Flower", _flower(system)),
        *zip(("Model", ""), _model(system), strict=False),
    ]
    if needs_state_dir:
        setting = f"MONGOCLAW_STATE_DIR={shlex.quote(str(system.plan.data_dir))}"
        lines.append(("Commands", f"in other terminals need {setting}"))
    click.echo("\nMongoClaw is running. Ctrl-C stops everything.\n")
    for name, text in lines:
        click.echo(f"  {name:<9} {text}")
    click.echo("\nWhat the processes say from now on:\n")


def _flower(system: System) -> str:
    if system.addresses.flower is not None:
        return f"{system.addresses.flower} (the same user and password; it may look only)"
    return "off" if flower_is_installed() else "not installed: `pip install 'mongoclaw[flower]'`"


def _model(system: System) -> tuple[str, ...]:
    if system.addresses.model is not None:
        hint = "the sandbox, which is no language model; set a provider's key to use a real one"
        return system.addresses.model, hint
    keys = provider_keys(system.environ)
    if keys:
        return (f"real, with the key in {', '.join(keys.values())}",)
    return ("the one of MONGOCLAW_AI__SANDBOX_URL",)
