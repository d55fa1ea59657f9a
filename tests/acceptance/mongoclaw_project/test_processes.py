"""The command line and the web server as their users start them: as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

ROOT = Path(__file__).parents[3]
UNREACHABLE = {
    "MONGOCLAW_MONGODB__URI": "mongodb://u:hunter2@127.0.0.1:9/?directConnection=true",
    "MONGOCLAW_REDIS__URL": "redis://:hunter2@127.0.0.1:9/0",
}
MEGABYTE = 1024 * 1024


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A process's environment without any setting of the developer's."""
    foreign = {name: text for name, text in os.environ.items() if not name.startswith("MONGOCLAW_")}
    return foreign | {
        "MONGOCLAW_ENV_FILE": os.devnull,
        "MONGOCLAW_STATE_DIR": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mongoclaw(environ: dict[str, str], tmp_path: Path) -> Run:
    def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mongoclaw_project", *words],
            cwd=tmp_path,
            env=environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def imported(code: str, environ: dict[str, str]) -> set[str]:
    """The top-level modules that a process holds after some code."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})",
        ],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import mongoclaw_project.wsgi",
        "import mongoclaw_project.wsgi; from django.urls import get_resolver; get_resolver().url_patterns",
        "import mongoclaw_project.celery",
        "import watcher.__main__, mongoclaw_project.wsgi, watcher.assembly, watcher.reading.reader",
        "import mongoclaw_project.cli.main as cli; [later.load() for later in cli.COMMANDS]",
    ],
    ids=["web", "web-and-urls", "celery-app", "watcher", "cli"],
)
def test_only_workers_import_litellm(code: str, environ: dict[str, str]) -> None:
    modules = imported(code, environ)
    assert "litellm" not in modules
    assert "openai" not in modules


def test_help_imports_neither_django_nor_celery(environ: dict[str, str]) -> None:
    modules = imported(
        "from mongoclaw_project.cli.main import mongoclaw\nmongoclaw.main(['--help'], standalone_mode=False)",
        environ,
    )
    assert not modules & {"django", "celery", "pymongo", "redis"}


def test_help_and_version_need_no_server(mongoclaw: Run) -> None:
    assert mongoclaw("--version").stdout == "mongoclaw, version 2.0.0\n"
    shown = mongoclaw("--help")
    assert shown.returncode == 0
    assert "agents" in shown.stdout
    assert "doctor" in shown.stdout


def test_wrong_settings_are_a_line_each_and_no_traceback(mongoclaw: Run) -> None:
    done = mongoclaw("info", MONGOCLAW_API__PORT="x", MONGOCLAW_MONGODB__URL="y")
    assert done.returncode == 1
    assert done.stdout == ""
    assert sorted(line.split(":")[0] for line in done.stderr.splitlines()) == [
        "✗ MONGOCLAW_API__PORT",
        "✗ MONGOCLAW_MONGODB__URL",
    ]


def test_an_env_file_is_read_where_the_command_is_started(mongoclaw: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MONGOCLAW_AI__DEFAULT_MODEL=from-file\n", encoding="utf-8")
    done = mongoclaw("info", "--json", MONGOCLAW_ENV_FILE=".env")
    assert json.loads(done.stdout)["model"] == "from-file"


def test_config_in_yaml_and_json_say_the_same(mongoclaw: Run) -> None:
    as_json = json.loads(mongoclaw("config", "--json").stdout)
    assert as_json["api"]["port"] == 8000
    assert "port: 8000" in mongoclaw("config").stdout
    assert "MONGOCLAW_API__PORT=8000" in mongoclaw("config", "--format", "env").stdout


def test_health_of_unreachable_servers_exits_with_1_and_names_them(mongoclaw: Run) -> None:
    done = mongoclaw("health", **UNREACHABLE)
    assert done.returncode == 1
    assert "✗ mongodb: unhealthy - cannot be reached" in done.stdout
    assert "✗ redis: unhealthy - cannot be reached" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.sql
def test_migrate_makes_the_tables_and_may_be_repeated(mongoclaw: Run, database_url: str) -> None:
    for _ in range(2):
        done = mongoclaw("migrate", MONGOCLAW_DATABASE__URL=database_url)
        assert done.returncode == 0, done.stderr
    checked = mongoclaw("health", "-c", "database", MONGOCLAW_DATABASE__URL=database_url)
    assert checked.stdout == "✓ database: healthy\n"


def test_an_unreachable_database_is_a_line_and_no_traceback(mongoclaw: Run) -> None:
    done = mongoclaw(
        "migrate",
        MONGOCLAW_DATABASE__URL="postgresql://u:hunter2@127.0.0.1:9/d",
        MONGOCLAW_DATABASE__POOL_TIMEOUT_SECONDS="1",
    )
    assert done.returncode == 1
    assert "✗ the SQL database cannot be migrated" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_manage_passes_everything_on_to_django(mongoclaw: Run) -> None:
    done = mongoclaw("manage", "check", "--deploy")
    assert done.returncode == 0
    assert "System check identified" in done.stdout + done.stderr


PRODUCTION = {"MONGOCLAW_ENVIRONMENT": "production"}


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "mongoclaw_project", "server", "api"),
        ("-m", "celery", "-A", "mongoclaw_project", "worker"),
        ("-c", "import mongoclaw_project.wsgi"),
        ("-m", "mongoclaw_project", "migrate"),
        (str(ROOT / "manage.py"), "check"),
    ],
    ids=["server", "worker", "wsgi", "migrate", "manage"],
)
def test_nothing_starts_in_production_without_its_secrets(
    words: tuple[str, ...], environ: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environ | PRODUCTION,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "mongoclaw.E001" in done.stderr
    assert "mongoclaw.E002" in done.stderr
    assert "Traceback" not in done.stderr


@dataclass(frozen=True)
class Web:
    url: str
    process: subprocess.Popen[str]

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", self.url + path, headers=headers, timeout=10, retries=False)

    def resident_bytes(self) -> int:
        """Of the largest of gunicorn's processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return max(_resident(int(pid)) for pid in children)


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            urllib3.request("GET", url, timeout=1, retries=False)
        except urllib3.exceptions.HTTPError:
            process.poll()
        else:
            return
    pytest.fail(f"nothing answered at {url}")


@pytest.fixture
def web(environ: dict[str, str], migrated_database_url: str, mongo_uri: str, redis_url: str) -> Iterator[Web]:
    servers = {
        "MONGOCLAW_MONGODB__URI": mongo_uri,
        "MONGOCLAW_REDIS__URL": redis_url,
        "MONGOCLAW_DATABASE__URL": migrated_database_url,
    }
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mongoclaw_project",
            "server",
            "api",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        cwd=ROOT,
        env=environ | servers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/health/live", process)
        yield Web(url, process)
    finally:
        process.kill()
        process.communicate()


def test_the_web_server_serves_health_admin_and_styles_in_little_memory(web: Web, mongoclaw: Run) -> None:
    ready = web.get("/health/ready")
    # Servers answer; nobody watches and nobody works.
    down = {name for name, check in json.loads(ready.data)["checks"].items() if check["status"] != "healthy"}
    assert (ready.status, down) == (503, {"watcher", "workers"}), ready.data
    login = web.get("/ui/login")
    assert login.status == 200
    assert web.get("/static/admin/css/base.css").status == 200
    assert web.get("/api/v1/nothing").status == 404
    assert web.get("/version", Host="evil.example").status == 400
    for _ in range(50):
        web.get("/health/detailed")
    assert web.resident_bytes() <= 150 * MEGABYTE
    told = mongoclaw("server", "status", "--url", web.url)
    assert told.returncode == 0, told.stderr
    assert f"✓ Server is running at {web.url}" in told.stdout


def test_the_web_server_logs_json_lines_and_stops_cleanly(web: Web) -> None:
    web.get("/version", **{"X-Request-ID": "find-me"})
    web.process.send_signal(signal.SIGTERM)
    output, _ = web.process.communicate(timeout=30)
    assert web.process.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert all({"event", "level", "timestamp", "service"} <= line.keys() for line in lines)
    (request,) = [line for line in lines if line.get("request_id") == "find-me"]
    assert (request["event"], request["path"], request["status_code"]) == ("http.request", "/version", 200)


def test_status_of_nothing_is_a_line_and_exit_code_1(mongoclaw: Run) -> None:
    done = mongoclaw("server", "status", "--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr.startswith("✗ Cannot connect to")
