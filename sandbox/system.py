"""The whole system on one machine: servers, stand-in model, web, worker and watcher, all supervised."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox.addresses import Addresses
from sandbox.admin_login import AdminLogin, admin_login
from sandbox.api_key import api_key
from sandbox.embedded import start_mongod, start_valkey
from sandbox.embedded.ports import LOOPBACK, is_free, reserved_port
from sandbox.embedded.replica_set import require_replica_set
from sandbox.errors import PortTaken, ServerStartFailed, ServerUnreachable
from sandbox.flower import flower
from sandbox.model.client import start_model
from sandbox.processes import Listening, place_of, watcher, web, worker
from sandbox.supervisor import Supervisor

_PREPARE_SECONDS = 120


@dataclass(frozen=True)
class SystemPlan:
    """What to start.

    `mongodb`, `broker` and `database` point at servers that are there already; None starts an embedded one,
    for `database` a SQLite file. `use_sandbox_model` starts the stand-in model, which answers after
    `model_latency` (see `sandbox.model.latency`). `environ` is the environment of all processes. `use_flower`
    starts Flower, on `flower_port` or a free one. `make_api_key` gives the HTTP API a key of this system's own.
    `shared` are settings, as `group.field`, that commands beside the system need to see it as it is.
    """

    data_dir: Path
    web_port: int
    environ: Mapping[str, str]
    mongodb: str | None = None
    broker: str | None = None
    database: str | None = None
    use_sandbox_model: bool = True
    model_latency: str = "200"
    use_flower: bool = False
    flower_port: int | None = None
    make_api_key: bool = True
    shared: Mapping[str, str] = field(default_factory=dict, repr=False)
    say: Callable[[str], None] = field(default=lambda _: None, repr=False)


@dataclass(frozen=True)
class System:
    """A started system. `api_key` is None where the environment brings keys of its own."""

    plan: SystemPlan
    supervisor: Supervisor
    addresses: Addresses
    login: AdminLogin
    environ: Mapping[str, str]
    api_key: str | None = None

    def start_worker(self) -> None:
        """Starts a worker, as the first time."""
        self.supervisor.start(worker(self.environ, place_of(self.plan.data_dir)))


def start_system(plan: SystemPlan, supervisor: Supervisor) -> System:
    """Starts everything in order; returns when the web server answers.

    Raises an error of `sandbox.errors` with one line that says what to do.
    """
    if not is_free(plan.web_port):
        raise PortTaken(f"port {plan.web_port} is in use: choose another one with --port")
    _require_given(plan)
    plan.data_dir.mkdir(parents=True, exist_ok=True)
    addresses = _start_servers(plan, supervisor)
    login = admin_login(plan.data_dir)
    key = api_key(plan.data_dir) if plan.make_api_key else None
    environ = _environment(plan, addresses, key)
    plan.say("preparing the database")
    _prepare(environ, login, plan.data_dir)
    system = System(plan, supervisor, addresses, login, environ, key)
    plan.say("starting web server, worker and watcher")
    place = place_of(plan.data_dir)
    supervisor.start(web(environ, place, Listening(LOOPBACK, plan.web_port)))
    system.start_worker()
    supervisor.start(watcher(environ, place))
    return _with_flower(system) if plan.use_flower else system


def _with_flower(system: System) -> System:
    plan = system.plan
    with reserved_port(plan.data_dir / "flower.port", port=plan.flower_port) as port:
        plan.say("starting Flower")
        system.supervisor.start(flower(system.environ, place_of(plan.data_dir), system.login, port))
    return replace(system, addresses=replace(system.addresses, flower=f"http://{LOOPBACK}:{port}"))


def _require_given(plan: SystemPlan) -> None:
    """Looks at the servers of the user's own before any is started that would have to be stopped again."""
    if plan.mongodb is not None:
        require_replica_set(plan.mongodb)
    if plan.broker is not None:
        _require_broker(plan.broker)


def _start_servers(plan: SystemPlan, supervisor: Supervisor) -> Addresses:
    mongodb, broker, model = plan.mongodb, plan.broker, None
    if mongodb is None:
        plan.say("starting MongoDB")
        mongodb = supervisor.adopt(start_mongod(plan.data_dir / "mongod")).url
    if broker is None:
        plan.say("starting Valkey")
        broker = supervisor.adopt(start_valkey(plan.data_dir / "valkey")).url
    if plan.use_sandbox_model:
        plan.say("starting the sandbox model, which is no language model")
        model = supervisor.adopt(start_model(plan.data_dir / "model", latency=plan.model_latency)).url
    return Addresses(
        mongodb=mongodb,
        broker=broker,
        database=plan.database or f"sqlite:///{plan.data_dir.resolve()}/mongoclaw.sqlite3",
        web=f"http://{LOOPBACK}:{plan.web_port}",
        model=model,
    )


def _require_broker(url: str) -> None:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return
    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (RedisError, ValueError) as exc:
        raise ServerUnreachable(f"MONGOCLAW_REDIS__URL: the broker does not answer: {exc}") from exc


def _environment(plan: SystemPlan, addresses: Addresses, key: str | None) -> dict[str, str]:
    environ = {
        # Logs of the processes appear as they are written.
        "PYTHONUNBUFFERED": "1",
        **_readable_logs(plan.environ),
        **plan.environ,
        "DJANGO_SETTINGS_MODULE": "mongoclaw_project.settings",
        "MONGOCLAW_ENVIRONMENT": "development",
        "MONGOCLAW_STATE_DIR": str(plan.data_dir.resolve()),
        "MONGOCLAW_MONGODB__URI": addresses.mongodb,
        "MONGOCLAW_REDIS__URL": addresses.broker,
        "MONGOCLAW_DATABASE__URL": addresses.database,
    }
    if plan.use_flower:
        environ["MONGOCLAW_FLOWER__ENABLED"] = "true"
    if addresses.model is not None:
        environ["MONGOCLAW_AI__SANDBOX_URL"] = addresses.model
    if key is not None:
        environ["MONGOCLAW_SECURITY__API_KEYS"] = json.dumps([key])
    for name in ("MONGODB__URI", "REDIS__URL", "DATABASE__URL", *(["SECURITY__API_KEYS"] if key else [])):
        environ.pop(f"MONGOCLAW_{name}_FILE", None)  # Read already; both at once would be an error.
    return environ


def _readable_logs(environ: Mapping[str, str]) -> dict[str, str]:
    """Text instead of JSON, unless the settings say which."""
    if any(name.upper().endswith("LOG_FORMAT") for name in environ):
        return {}
    return {"MONGOCLAW_OBSERVABILITY__LOG_FORMAT": "console"}


def _prepare(environ: Mapping[str, str], login: AdminLogin, data_dir: Path) -> None:
    """Creates the tables and the administrator, in a process of its own: the sandbox knows no Django."""
    done = subprocess.run(
        [sys.executable, "-m", "mongoclaw_project.cli.dev_database", login.username],
        env={**environ, "DJANGO_SUPERUSER_PASSWORD": login.password},
        cwd=place_of(data_dir),
        capture_output=True,
        text=True,
        timeout=_PREPARE_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ServerStartFailed(f"the database could not be prepared: {lines[-1] if lines else 'no message'}")
