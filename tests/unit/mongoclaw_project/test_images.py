"""What the images of the fleet hold, and whether what Compose runs in them is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from flower.options import options as flower_options
from flower.urls import handlers
from flower.views.monitor import Healthcheck
from flower.views.workers import WorkersView

from executions_app.metrics.endpoint import Endpoint
from mongoclaw_project.config import load
from tests.compose import OURS, ROOT, SECRETS, interpolated

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LITELLM_ONLY = "enrichment.providers.litellm_transport"


def services() -> dict[str, Any]:
    return dict(interpolated(SECRETS)["services"])


def stages() -> dict[str, tuple[str, str]]:
    """Each stage of the Dockerfile: what it stands on, and its lines."""
    parts = re.split(r"^FROM (\S+) AS (\S+)\n", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {name: (base, lines) for base, name, lines in zip(*[iter(parts)] * 3, strict=True)}


def locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_only_workers_have_the_image_with_litellm() -> None:
    targets = {name: services()[name]["build"]["target"] for name in OURS}
    assert targets == {**dict.fromkeys(OURS, "server"), "worker": "worker"}
    images = {services()[name]["image"] for name in OURS if name != "worker"}
    assert len(images) == 1
    assert services()["worker"]["image"] not in images


def test_the_lock_of_the_server_is_without_litellm_and_what_it_brings_along() -> None:
    assert "litellm" in locked("requirements.runtime.lock")
    assert not {"litellm", "openai", "tiktoken", "boto3"} & locked("requirements.server.lock")


def test_each_image_installs_its_lock_with_hashes() -> None:
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert [line for line in installs if not re.search(r"--require-hashes -r|--no-deps /wheels/", line)] == []
    assert "requirements.server.lock" in stages()["server-packages"][1]
    assert stages()["worker-packages"][0] == "server-packages"
    assert "requirements.runtime.lock" in stages()["worker-packages"][1]
    assert "--from=server-venv /venv" in stages()["server"][1]
    assert "--from=worker-venv /venv" in stages()["worker"][1]


def test_what_the_dockerfile_copies_is_there() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, flags=re.MULTILINE)
    assert [name for name in copied if not (ROOT / name).exists() or name in ignored] == []
    assert set(re.findall(r"--from=(\S+)", DOCKERFILE)) <= set(stages())


@pytest.mark.parametrize("target", ["server", "worker"])
def test_an_image_runs_unprivileged_what_compose_runs(target: str) -> None:
    base, lines = stages()[target]
    assert base == "base"
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", stages()["base"][1], flags=re.MULTILINE)
    command = re.search(r"^CMD (\[.*\])$", lines, flags=re.MULTILINE)
    assert command
    assert command[1] == str(services()[{"server": "web"}.get(target, target)]["command"]).replace("'", '"')


def test_the_table_of_prices_is_where_the_image_without_litellm_looks() -> None:
    name = "model_prices_and_context_window_backup.json"
    assert len(set(re.findall(r"python:?(3\.\d+)", DOCKERFILE))) == 1
    assert f"/litellm/{name} /prices/" in stages()["worker-packages"][1]
    assert "--from=worker-packages /prices /venv/share/mongoclaw" in stages()["server-venv"][1]


def test_every_module_but_one_is_imported_without_litellm_and_what_it_brings_along(tmp_path: Path) -> None:
    without = sorted(locked("requirements.runtime.lock") - locked("requirements.server.lock"))
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "mongoclaw_project.settings", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-W", "ignore", str(ROOT / "tests/imported_without.py"), *without]
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [LITELLM_ONLY]


def test_each_part_of_the_fleet_understands_its_command_line_and_its_settings(tmp_path: Path) -> None:
    started = {name: started_for_help(services()[name], tmp_path) for name in OURS}
    answers = {
        name: (process.communicate(timeout=60), process.returncode) for name, process in started.items()
    }
    assert {name: answer for name, answer in answers.items() if answer[1]} == {}
    assert all("usage:" in output.lower() for (output, _), _ in answers.values())


def started_for_help(service: dict[str, Any], directory: Path) -> subprocess.Popen[str]:
    program, *words = service["command"]
    place = Path(sys.executable)
    found = place if program == "python" else place.with_name(program)
    return subprocess.Popen(
        [str(found), *words, "--help"],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "MONGOCLAW_STATE_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "mongoclaw_project.settings",
            **service["environment"],
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_what_flower_is_told_are_options_of_flower() -> None:
    flower = services()["flower"]
    options = {name.replace("-", "_") for name in flower_options._options}
    told = {
        name.removeprefix("FLOWER_").lower() for name in flower["environment"] if name.startswith("FLOWER_")
    }
    words = {word[2:].partition("=")[0] for word in flower["command"] if word.startswith("--")}
    assert told | words <= options


def checked(service: str, port: int) -> int:
    """Run a part's health check against another port; the exit code is 0 when it is healthy."""
    kind, *words = services()[service]["healthcheck"]["test"]
    assert (kind, words[:2]) == ("CMD", ["python", "-c"])
    code, replaced = re.subn(r"(?<=127\.0\.0\.1:)\d+", str(port), words[2])
    assert replaced == 1
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return done.returncode


def asked_port(service: str) -> int:
    return int(re.findall(r"127\.0\.0\.1:(\d+)/", services()[service]["healthcheck"]["test"][-1])[0])


@dataclass
class Standing:
    """A process that is ready, or is not."""

    is_ready: bool
    standing: str = "as it is"
    reasons: tuple[str, ...] = ()


@pytest.mark.parametrize("service", ["watcher", "worker"])
def test_a_watcher_or_worker_is_healthy_while_it_is_ready(service: str) -> None:
    settings = load(services()[service]["environment"]).settings
    ports = {"watcher": settings.watcher.metrics_port, "worker": settings.observability.metrics_port}
    assert asked_port(service) == ports[service]
    now = Standing(is_ready=True)
    endpoint = Endpoint("127.0.0.1", 0, metrics=bytes, readiness=lambda: now)
    try:
        assert checked(service, endpoint.port) == 0
        now.is_ready = False
        assert checked(service, endpoint.port) == 1
    finally:
        endpoint.close()
    assert checked(service, endpoint.port) == 1


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's signature
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[WSGIServer]:
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    # The first request loads all pages, which may take longer than a health check waits.
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/version", timeout=60).close()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_web_server_is_healthy_while_it_answers(web: WSGIServer) -> None:
    assert asked_port("web") == load(services()["web"]["environment"]).settings.api.port
    port = web.server_port
    assert checked("web", port) == 0
    web.shutdown()
    web.server_close()
    assert checked("web", port) == 1


def test_the_health_check_of_flower_asks_what_flower_answers_without_a_password() -> None:
    flower = services()["flower"]
    assert f"--port={asked_port('flower')}" in flower["command"]
    path = re.findall(r"127\.0\.0\.1:\d+(/\w+)", flower["healthcheck"]["test"][-1])[0]
    assert dict(entry[:2] for entry in handlers if isinstance(entry, tuple))[path] is Healthcheck
    # What asks for the password is a decorator of the handler's method.
    assert hasattr(WorkersView.get, "__wrapped__")
    assert not hasattr(Healthcheck.get, "__wrapped__")
