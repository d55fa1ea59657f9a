"""`KILLS=1000 SEED=7 python -m tests.acceptance.storm`: a storm over a fleet of its own; `make faults` calls it.

The last line of standard output is JSON. Exit code 1 when anything was lost, doubled, stale, stuck or over a limit;
2 when the storm could not be raised. DATABASE=postgres puts the ledger there, BROKER=rabbitmq the messages.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pymongo import MongoClient

from sandbox.child_output import FileSink
from sandbox.embedded import start_postgres, start_valkey
from sandbox.errors import SandboxError
from sandbox.model.client import ModelControl, start_model
from tests.acceptance.conftest import ROOT, Document, Fleet, environ_for
from tests.acceptance.storm.carriers import KINDS
from tests.acceptance.storm.journal import Journal
from tests.acceptance.storm.stage import set_stage
from tests.acceptance.storm.storm import Outcome, Run, storm


def main() -> int:
    """Raise the storm that the environment asks for."""
    try:
        kills = int(os.environ.get("KILLS", "200"))
        seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    except ValueError as error:
        sys.stderr.write(f"KILLS and SEED are whole numbers: {error}\n")
        return 2
    broker = os.environ.get("BROKER", "valkey")
    if broker not in KINDS:
        sys.stderr.write(f"BROKER is {broker}, and must be one of {', '.join(KINDS)}\n")
        return 2
    directory = ROOT / ".mongoclaw" / "faults" / f"seed-{seed}"
    shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.write(f"seed {seed}, {kills} kills; faults and logs go to {directory.relative_to(ROOT)}\n")
    sys.stdout.flush()
    journal = Journal(directory / "faults.jsonl")
    try:
        with _fleet(directory) as fleet, set_stage(fleet, directory / "mongods", broker=broker) as stage:
            outcome = storm(stage, Run(seed=seed, kills=kills), journal)
    except SandboxError as error:
        sys.stderr.write(f"the storm cannot be raised: {error}\n")
        return 2
    finally:
        journal.close()
        shutil.rmtree(directory / "mongods", ignore_errors=True)
    _report(outcome, journal)
    return 0 if outcome.verdict.is_sound else 1


def _report(outcome: Outcome, journal: Journal) -> None:
    for sentence in outcome.verdict.shown():
        sys.stdout.write(sentence + "\n")
    struck = ", ".join(f"{name} {count}" for name, count in sorted(journal.struck.items()))
    sys.stdout.write(f"struck: {struck}\n{json.dumps(outcome.figures())}\n")


@contextmanager
def _fleet(directory: Path) -> Iterator[Fleet]:
    """Servers of our own; MongoDB comes with the stage."""
    with ExitStack() as stack:
        model = start_model(directory / "model")
        stack.callback(model.stop)
        database = f"sqlite:///{directory}/database.sqlite3"
        if os.environ.get("DATABASE") == "postgres":
            postgres = start_postgres(directory / "postgres", durable=False)
            stack.callback(postgres.stop)
            database = postgres.url
        limits = start_valkey(directory / "limits")
        stack.callback(limits.kill)
        sink = FileSink(directory / "logs")
        stack.callback(sink.close)
        mongo: MongoClient[Document] = MongoClient(connect=False)
        environ = environ_for(
            directory / "state", mongodb="", broker=limits.url, database=database, model=model.url
        )
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environ, cwd=ROOT, check=True, timeout=120)
        fleet = Fleet(directory, environ, mongo, mongo["shop"], ModelControl(model.url), limits, sink)
        yield fleet


if __name__ == "__main__":
    sys.exit(main())
