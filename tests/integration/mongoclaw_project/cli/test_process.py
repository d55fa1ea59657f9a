"""The commands as processes of their own: what they import, and what they say before they can begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
IMPORTS = """
import sys
from mongoclaw_project.cli.main import mongoclaw
for name in ("agents", "doctor", "executions", "test"):
    mongoclaw.get_command(None, name)
print([name for name in ("litellm", "celery.app.base", "sandbox") if name in sys.modules])
"""


def mongoclaw(*words: str, **values: str) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS…` with settings."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MONGOCLAW_")}
    environ = {**kept, **{f"MONGOCLAW_{name}": value for name, value in values.items()}}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_no_command_of_ours_imports_litellm_before_it_asks_a_model(tmp_path: Path) -> None:
    loaded = mongoclaw("-c", IMPORTS, STATE_DIR=str(tmp_path))

    assert loaded.stdout.strip() == "[]", loaded.stderr


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"DATABASE__URL": "sqlite:////tmp"},
            "MONGOCLAW_DATABASE__URL: the SQLite file /tmp cannot be used (it is a directory)",
        ),
        (
            {"DATABASE__URL": "sqlite:////dev/null/d.sqlite3"},
            "MONGOCLAW_DATABASE__URL: the SQLite file /dev/null/d.sqlite3 cannot be used",
        ),
        (
            {"STATE_DIR": "/dev/null/state"},
            "MONGOCLAW_STATE_DIR: the directory /dev/null/state cannot be used",
        ),
        (
            {"DATABASE__URL": "postgresql://u:hunter2@127.0.0.1:9/d", "DATABASE__POOL_TIMEOUT_SECONDS": "1"},
            "PostgreSQL cannot be used",
        ),
        ({"ENVIRONMENT": "production"}, "there is no SQL database, but this is production"),
        ({"MONGODB__URL": "x"}, "MONGOCLAW_MONGODB__URL: there is no such setting; did you mean"),
        ({}, "mongoclaw.sqlite3 lacks tables: run `mongoclaw migrate`"),
    ],
)
def test_a_database_that_does_not_serve_is_one_line_with_its_remedy(
    tmp_path: Path, values: dict[str, str], said: str
) -> None:
    listed = mongoclaw("-m", "mongoclaw_project", "agents", "list", **{"STATE_DIR": str(tmp_path), **values})

    assert listed.returncode == 1
    assert said in listed.stderr
    assert "Traceback" not in listed.stderr
    assert "hunter2" not in listed.stderr
    assert listed.stdout == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"DATABASE__URL": "sqlite:////dev/null/d.sqlite3"},
            "the SQLite file /dev/null/d.sqlite3 cannot be used",
        ),
        ({"ENVIRONMENT": "production"}, "there is no SQL database, but this is production (mongoclaw.E002)"),
    ],
    ids=["impossible-database", "dangerous-settings"],
)
def test_a_doctor_looks_at_the_rest_whatever_the_settings_are(
    tmp_path: Path, redis_url: str, values: dict[str, str], said: str
) -> None:
    visit = mongoclaw(
        *("-m", "mongoclaw_project", "doctor"),
        **{
            "STATE_DIR": str(tmp_path),
            "REDIS__URL": redis_url,
            "MONGODB__URI": "mongodb://127.0.0.1:9",
            **values,
        },
    )

    assert visit.returncode == 1
    assert f"✗ {said}" in visit.stdout
    assert "✗ 127.0.0.1:9 cannot be reached" in visit.stdout
    assert "✓ maxmemory-policy is" in visit.stdout
    assert visit.stderr == ""
