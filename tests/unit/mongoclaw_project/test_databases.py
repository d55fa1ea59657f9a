from __future__ import annotations

from pathlib import Path

from mongoclaw_project.config import load_settings
from mongoclaw_project.databases import databases, serve_requests


def test_sqlite_is_made_fit_for_several_processes(tmp_path: Path) -> None:
    (database,) = databases(load_settings({}, directory=tmp_path)).values()
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == str(tmp_path / ".mongoclaw/mongoclaw.sqlite3")
    assert database["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20.0,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }


def test_tests_on_sqlite_use_a_file_as_well(tmp_path: Path) -> None:
    (database,) = databases(load_settings({}, directory=tmp_path)).values()
    assert database["TEST"]["NAME"] == str(tmp_path / ".mongoclaw/test.sqlite3")


def test_postgresql_shares_one_pool_between_the_threads_of_a_process() -> None:
    environ = {
        "MONGOCLAW_DATABASE__URL": "postgresql://u:p%40ss@db:5433/claw?sslmode=require",
        "MONGOCLAW_DATABASE__POOL_SIZE": "7",
    }
    (database,) = databases(load_settings(environ)).values()
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"], database["HOST"]) == ("u", "p@ss", "db")
    assert database["CONN_MAX_AGE"] == 0
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["OPTIONS"] == {
        "sslmode": "require",
        "pool": {"min_size": 1, "max_size": 7, "timeout": 20.0, "reconnect_timeout": 8.0},
    }


def test_a_web_process_waits_for_a_connection_as_long_as_people_wait_for_an_answer() -> None:
    environ = {"MONGOCLAW_DATABASE__URL": "postgresql://u@db/claw"}
    (database,) = databases(load_settings(environ)).values()
    serve_requests(database)
    assert (database["OPTIONS"]["pool"]["timeout"], database["CONN_MAX_AGE"]) == (5.0, 0)


def test_a_web_process_opens_sqlite_once_a_minute_and_not_for_each_request(tmp_path: Path) -> None:
    (database,) = databases(load_settings({}, directory=tmp_path)).values()
    serve_requests(database)
    assert database["CONN_MAX_AGE"] == 60


def test_outside_development_no_database_is_made_up() -> None:
    assert databases(load_settings({"MONGOCLAW_ENVIRONMENT": "production"})) == {}
