"""Runs the demo from the first server to the last line."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import yaml
from pymongo import MongoClient

from sandbox.child_output import FileSink
from sandbox.demo import report
from sandbox.demo.agents import DemoAgent, load_agents
from sandbox.demo.check import Verdict, check
from sandbox.demo.script import Step, write_script
from sandbox.demo.witness import METADATA, Witness
from sandbox.embedded.ports import reserved_port
from sandbox.errors import SandboxError
from sandbox.model.client import ModelControl
from sandbox.processes import WORKER
from sandbox.supervisor import Supervisor
from sandbox.system import System, SystemPlan, start_system

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.demo.documents import Document
    from sandbox.demo.real_model import RealModel

_SCRIPT_SECONDS = 6.0
_MODEL_LATENCY = "500-1500"
_KILL_FROM_SHARE, _KILL_BY_SHARE = 0.2, 0.5
_CALLS_WORTH_KILLING = 20
_QUIET_SECONDS = 2.0
_TICK_SECONDS = 0.1
_OWN_SETTINGS = "MONGOCLAW_"
_MARK = "mongoclaw-demo"
_NO_PORTS = {"MONGOCLAW_WATCHER__METRICS_PORT": "0", "MONGOCLAW_OBSERVABILITY__METRICS_PORT": "0"}


@dataclass(frozen=True)
class DemoOptions:
    """What to run: `model` None is the sandbox; `patience` is the wait for the last document, in seconds."""

    data_dir: Path
    environ: Mapping[str, str]
    documents: int = 200
    seed: int = 2026
    model: RealModel | None = None
    patience: float = 90.0


@dataclass
class _Stage:
    """What the acts of the demo share."""

    system: System
    client: MongoClient[Document]
    agents: tuple[DemoAgent, ...]
    witness: Witness
    progress: report.Progress
    began: float
    killed_at: float | None = None
    inserted: int = 0
    model: ModelControl | None = None
    pending: list[Step] = field(default_factory=list)


def run_demo(options: DemoOptions) -> int:
    """Runs it and prints; returns 0 if all is well, else 1. Raises SandboxError and StopAsked."""
    progress = report.Progress()
    _empty(options.data_dir)
    sink = FileSink(options.data_dir / "logs")
    began = time.monotonic()
    with Supervisor(sink) as supervisor:
        system = start_system(_plan(options, progress), supervisor)
        verdict = _play(options, system, progress, began)
        progress.say("  stopping everything")
    sink.close()
    print(report.last_line(verdict, seconds=time.monotonic() - began), flush=True)  # noqa: T201
    return 0 if verdict.is_sound else 1


def _empty(data_dir: Path) -> None:
    """Removes what an earlier demo left, and nothing that is not a demo's."""
    if data_dir.exists() and any(data_dir.iterdir()) and not (data_dir / _MARK).exists():
        raise SandboxError(f"{data_dir} holds something else than an earlier demo: choose another --data-dir")
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    (data_dir / _MARK).touch()


def _plan(options: DemoOptions, progress: report.Progress) -> SystemPlan:
    with reserved_port(options.data_dir / "web.port") as port:
        web_port = port
    # On servers of its own: a demo must never write into somebody's database.
    environ = {name: value for name, value in options.environ.items() if not name.startswith(_OWN_SETTINGS)}
    return SystemPlan(
        data_dir=options.data_dir,
        web_port=web_port,
        # Nobody asks for metrics here, and the port may be that of a system that runs beside.
        environ=environ | {"MONGOCLAW_ENV_FILE": "/dev/null", **_NO_PORTS},
        use_sandbox_model=options.model is None,
        model_latency=_MODEL_LATENCY,
        say=lambda text: progress.say(f"  {text}"),
    )


def _play(options: DemoOptions, system: System, progress: report.Progress, began: float) -> Verdict:
    agents = load_agents(options.model)
    for agent in agents:
        _create(agent, system, options.data_dir)
        progress.say(f"  agent {agent.id} watches {agent.namespace}")
    texts = {agent.namespace: agent.text_field for agent in agents}
    with MongoClient[dict[str, object]](system.addresses.mongodb, tz_aware=True) as client:
        witness = Witness(system.addresses.mongodb, texts, texts)
        stage = _Stage(system, client, agents, witness, progress, began)
        stage.model = ModelControl(system.addresses.model) if system.addresses.model else None
        stage.pending = write_script(options.documents, Random(options.seed))
        story = _story(stage)
        _perform(stage, options)
        _settle(stage, options)
        witness.stop()
        verdict = _verdict(stage)
        progress.say(_shown(stage, story))
        progress.say(report.summary(agents, verdict))
    return verdict


def _create(agent: DemoAgent, system: System, data_dir: Path) -> None:
    path = data_dir / f"{agent.id}.yaml"
    path.write_text(yaml.safe_dump(agent.config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mongoclaw_project", "agents", "create", "-f", str(path)],
        env=dict(system.environ),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SandboxError(f"the agent {agent.id} could not be created: {done.stderr.strip()}")


def _perform(stage: _Stage, options: DemoOptions) -> None:
    """Plays the script at an even pace, and kills the worker once on the way."""
    stage.progress.say(
        f"  inserting {options.documents} documents, editing and deleting some while they are processed"
    )
    started = time.monotonic()
    steps, sent = stage.pending, 0
    while sent < len(steps):
        due = min(len(steps), int(len(steps) * (time.monotonic() - started) / _SCRIPT_SECONDS) + 1)
        for step in steps[sent:due]:
            step.apply(stage.client)
            stage.inserted += step.kind == "insert"
        sent = due
        _tick(stage)
        if stage.killed_at is None and _is_time_to_kill(stage, options):
            _kill_worker(stage)
    stage.pending = []


def _is_time_to_kill(stage: _Stage, options: DemoOptions) -> bool:
    """When it hurts most: in the middle, with many calls in the air."""
    done = _results(stage) / options.documents
    if done < _KILL_FROM_SHARE:
        return False
    in_flight = stage.model.calls()["in_flight"] if stage.model else 0
    return done >= _KILL_BY_SHARE or in_flight >= _CALLS_WORTH_KILLING


def _kill_worker(stage: _Stage) -> None:
    in_flight = f" with {stage.model.calls()['in_flight']} calls in the air" if stage.model else ""
    stage.system.supervisor.kill(WORKER)
    stage.killed_at = time.time()
    stage.progress.say(f"  killing the worker (SIGKILL){in_flight}, and starting a new one")
    stage.system.start_worker()


def _settle(stage: _Stage, options: DemoOptions) -> None:
    """Waits until every matching document is enriched and nothing has happened for a while."""
    deadline = time.monotonic() + options.patience
    quiet_since, before = time.monotonic(), (-1, -1)
    while time.monotonic() < deadline:
        if stage.killed_at is None and _results(stage):
            _kill_worker(stage)
        _tick(stage)
        verdict = _verdict(stage)
        now = (verdict.model_calls, sum(len(history.events) for history in stage.witness.histories()))
        if now != before or verdict.lost:
            quiet_since, before = time.monotonic(), now
        elif time.monotonic() - quiet_since >= _QUIET_SECONDS:
            return


def _tick(stage: _Stage) -> None:
    stage.system.supervisor.run(seconds=_TICK_SECONDS)
    counts = stage.model.calls() if stage.model else {}
    stage.progress.show(
        time.monotonic() - stage.began,
        inserted=stage.inserted,
        enriched=_results(stage),
        in_flight=counts.get("in_flight"),
        calls=counts.get("total"),
    )


def _results(stage: _Stage) -> int:
    return sum(
        stage.client[one.namespace.database][one.namespace.collection].count_documents(
            {f"{METADATA}.agents.{one.id}": {"$exists": True}}
        )
        for one in stage.agents
    )


def _verdict(stage: _Stage) -> Verdict:
    calls = stage.model.log() if stage.model else None
    return check(stage.client, stage.agents, stage.witness.histories(), calls, stage.killed_at)


def _story(stage: _Stage) -> Step:
    """The first document of the script that matches and is never changed."""
    changed = [repr(step.document_id) for step in stage.pending if step.kind != "insert"]
    return next(
        step
        for step in stage.pending
        if step.document.get("status") == "open" and repr(step.document_id) not in changed
    )


def _shown(stage: _Stage, story: Step) -> str:
    agent = next(one for one in stage.agents if one.namespace == story.namespace)
    collection = stage.client[story.namespace.database][story.namespace.collection]
    after = collection.find_one({"_id": story.document_id}) or {}
    return report.before_and_after(agent, story.document, after)
