"""`mongoclaw server`: the web server alone, or all processes of one machine under one command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from mongoclaw_project.cli.command import Group
from mongoclaw_project.cli.output import SUCCESS, fail, note, show
from mongoclaw_project.config import Settings, current
from sandbox.child_output import TerminalSink
from sandbox.errors import SandboxError
from sandbox.processes import Listening, place_of, watcher, web, worker
from sandbox.supervisor import ChildSpec, StopAsked, Supervisor

_TIMEOUT_SECONDS: Final = 10.0
_AFTER_GRACE: Final = 5.0
"""What a process has beyond the time in which it may finish its work, in seconds."""


@click.group(cls=Group)
def server() -> None:
    """Start the processes of one machine, or question the web server."""


def _listening(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of how the web server listens."""
    for option in (
        click.option("--reload", is_flag=True, help="Restart when the code changes."),
        click.option(
            "--workers", type=click.IntRange(1), help="Processes. [default: MONGOCLAW_API__WORKERS]"
        ),
        click.option(
            "--port", type=click.IntRange(1, 65535), help="The port. [default: MONGOCLAW_API__PORT]"
        ),
        click.option("--host", help="The address to listen on. [default: MONGOCLAW_API__HOST]"),
    ):
        command = option(command)
    return command


@server.command()
@_listening
@click.option("--api-only", is_flag=True, help="Only the web server, as `mongoclaw server api` does.")
@click.pass_context
def start(
    context: click.Context,
    host: str | None,
    port: int | None,
    workers: int | None,
    *,
    reload: bool,
    api_only: bool,
) -> None:
    """Start web server, watcher and a worker, and stay with them; when one ends, all do, with exit code 1.

    For one machine. A fleet starts each kind by itself, as many of each as it needs.
    """
    if api_only:
        context.invoke(api, host=host, port=port, workers=workers, reload=reload)
    given = current().api
    listening = Listening(
        host or given.host, port or given.port, workers or given.workers, reload or given.reload
    )
    note(
        f"MongoClaw on {listening.host}:{listening.port}, web processes: {listening.workers}, "
        f"reload: {'on' if listening.reload else 'off'}, together with a watcher and a worker"
    )
    _together(listening)


@server.command()
@click.option("--no-api", is_flag=True, help="Has no effect: this command never starts the web server.")
def run(*, no_api: bool) -> None:  # noqa: ARG001  # the contract has it
    """Start a watcher and a worker, without the web server, and stay with them."""
    note("MongoClaw without the web server: a watcher and a worker")
    _together(None)


@server.command()
@_listening
def api(host: str | None, port: int | None, workers: int | None, *, reload: bool) -> None:
    """Start the web server and stay with it."""
    from mongoclaw_project.starting import refuse_danger

    settings = current()
    refuse_danger(settings)
    words = gunicorn_words(settings, host=host, port=port, workers=workers, reload=reload)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    if (workers or settings.api.workers) > 1:
        from mongoclaw_project.gunicorn_hooks import count_together

        count_together(os.environ)
        words.append("--config=python:mongoclaw_project.gunicorn_hooks")
    # The process becomes gunicorn, so that whoever started it sends signals to the right one.
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *words])  # noqa: S606  # no shell is wanted


@server.command()
@click.option("--url", default="http://localhost:8000", show_default=True, help="Where the server is.")
def status(url: str) -> None:
    """Ask a running web server how it is. Exits with 1 if it does not answer or is not healthy."""
    body = _fetch(url)
    lines = [
        f"{SUCCESS} Server is running at {url}",
        f"version      {body.get('version')}",
        f"environment  {body.get('environment')}",
        f"status       {body.get('status')}",
        *(f"{name:<11}  {_state(component)}" for name, component in body.get("components", {}).items()),
    ]
    show({"url": url, **body}, text="\n".join(lines))
    if body.get("status") == "unhealthy":
        fail("The server runs but is unhealthy")


def gunicorn_words(
    settings: Settings, *, host: str | None, port: int | None, workers: int | None, reload: bool
) -> list[str]:
    """Gunicorn's command line: threads, since the web server waits for databases and computes little."""
    words = [
        "mongoclaw_project.wsgi",
        f"--bind={host or settings.api.host}:{port or settings.api.port}",
        f"--workers={workers or settings.api.workers}",
        "--worker-class=gthread",
        f"--threads={settings.api.threads}",
        f"--graceful-timeout={max(1, int(settings.worker.shutdown_timeout))}",
        "--no-control-socket",  # it would lie in the user's home
        "--logger-class=mongoclaw_project.gunicorn_logs.GunicornLogger",
        "--worker-tmp-dir=/dev/shm" if os.path.isdir("/dev/shm") else "--worker-tmp-dir=/tmp",  # noqa: PTH112, S108
    ]
    return [*words, "--reload"] if reload or settings.api.reload else words


def _together(listening: Listening | None) -> None:
    """Run the processes of one machine under a supervisor until one ends or somebody asks for the end."""
    from mongoclaw_project.starting import refuse_danger

    settings = current()
    refuse_danger(settings)
    environ = {"DJANGO_SETTINGS_MODULE": "mongoclaw_project.settings", **os.environ, "PYTHONUNBUFFERED": "1"}
    place, patience = place_of(Path.cwd()), settings.worker.shutdown_timeout + _AFTER_GRACE
    specs: Sequence[ChildSpec] = (
        *((web(environ, place, listening, stop_seconds=patience),) if listening else ()),
        worker(environ, place, stop_seconds=patience),
        watcher(environ, place, stop_seconds=patience),
    )
    try:
        with Supervisor(TerminalSink(sys.stdout)) as supervisor:
            for spec in specs:
                supervisor.start(spec)
            supervisor.run()
    except StopAsked:
        note("everything is stopped")
    except SandboxError as error:
        fail(str(error))


def _fetch(url: str) -> dict[str, Any]:
    import urllib3

    if urlsplit(url).scheme not in {"http", "https"}:
        fail(f"{url}: must start with http:// or https://")
    try:
        answer = urllib3.request(
            "GET", f"{url.rstrip('/')}/health/detailed", timeout=_TIMEOUT_SECONDS, retries=False
        )
        body = json.loads(answer.data)
    except urllib3.exceptions.HTTPError as error:
        fail(f"Cannot connect to {url} ({type(error).__name__})")
    except json.JSONDecodeError:
        fail(f"What answers at {url} is no MongoClaw server")
    if answer.status != 200 or not isinstance(body, dict):  # noqa: PLR2004  # HTTP's own number
        fail(f"The server at {url} answered with status {answer.status}")
    return body


def _state(component: dict[str, Any]) -> str:
    error = component.get("error")
    return f"{component.get('status')} - {error}" if error else str(component.get("status"))
