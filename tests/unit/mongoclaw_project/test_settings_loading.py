from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mongoclaw_project.config import (
    Environment,
    SettingsInvalid,
    environment_with_file,
    load,
    load_settings,
)
from mongoclaw_project.config.names import RENAMED, setting_names

CONTRACT_DEFAULTS = {
    "ENVIRONMENT": "development",
    "DEBUG": False,
    "LEADER_ELECTION_ENABLED": True,
    "HOT_RELOAD_ENABLED": True,
    "MONGODB__URI": "mongodb://localhost:27017",
    "MONGODB__DATABASE": "mongoclaw",
    "MONGODB__AGENTS_COLLECTION": "agents",
    "MONGODB__EXECUTIONS_COLLECTION": "executions",
    "MONGODB__RESUME_TOKENS_COLLECTION": "resume_tokens",
    "MONGODB__MAX_POOL_SIZE": 100,
    "MONGODB__MIN_POOL_SIZE": 10,
    "MONGODB__SERVER_SELECTION_TIMEOUT_MS": 5000,
    "REDIS__URL": "redis://localhost:6379/0",
    "REDIS__MAX_CONNECTIONS": 50,
    "REDIS__SOCKET_TIMEOUT": 5.0,
    "REDIS__SOCKET_CONNECT_TIMEOUT": 5.0,
    "REDIS__RETRY_ON_TIMEOUT": True,
    "REDIS__STREAM_MAX_LEN": 100000,
    "REDIS__CONSUMER_GROUP": "mongoclaw-workers",
    "REDIS__BLOCK_MS": 5000,
    "AI__DEFAULT_PROVIDER": "openai",
    "AI__DEFAULT_MODEL": "gpt-4o-mini",
    "AI__DEFAULT_TEMPERATURE": 0.7,
    "AI__DEFAULT_MAX_TOKENS": 2048,
    "AI__REQUEST_TIMEOUT": 60,
    "AI__MAX_RETRIES": 3,
    "AI__CACHE_ENABLED": True,
    "AI__CACHE_TTL_SECONDS": 3600,
    "AI__GLOBAL_COST_LIMIT_USD": None,
    "AI__GLOBAL_TOKEN_LIMIT": None,
    "WORKER__ROUTING_STRATEGY": "single",  # by_agent in 1.0.4: see docs/adr/0017
    "WORKER__ROUTING_PARTITION_COUNT": 8,
    "WORKER__BATCH_SIZE": 10,
    "WORKER__FAIR_SCHEDULING_ENABLED": True,
    "WORKER__FAIR_STREAM_BATCH_SIZE": 1,
    "WORKER__FAIR_STREAMS_PER_CYCLE": None,
    "WORKER__MAX_IN_FLIGHT_PER_AGENT_STREAM": None,
    "WORKER__PENDING_METRICS_INTERVAL_SECONDS": 10,
    "WORKER__STARVATION_CYCLE_THRESHOLD": 20,
    "WORKER__DISPATCH_BACKPRESSURE_ENABLED": True,
    "WORKER__DISPATCH_BACKPRESSURE_THRESHOLD": 0.8,
    "WORKER__DISPATCH_OVERFLOW_POLICY": "defer",
    "WORKER__DISPATCH_MIN_PRIORITY_WHEN_BACKPRESSURED": 5,
    "WORKER__DISPATCH_DEFER_SECONDS": 0.25,
    "WORKER__DISPATCH_DEFER_MAX_ATTEMPTS": 3,
    "WORKER__DISPATCH_PRESSURE_CACHE_TTL_SECONDS": 1.0,
    "WORKER__AGENT_ERROR_BUDGET_WINDOW_SECONDS": 60,
    "WORKER__AGENT_ERROR_BUDGET_MAX_FAILURES": 20,
    "WORKER__AGENT_QUARANTINE_SECONDS": 30,
    "WORKER__LATENCY_SLO_MS": 3000,
    "WORKER__RETRY_BASE_DELAY": 1.0,
    "WORKER__RETRY_MAX_DELAY": 60,
    "WORKER__MAX_RETRIES": 3,
    "WORKER__EXECUTION_TIMEOUT": 300,
    "WORKER__BACKPRESSURE_THRESHOLD": 0.8,
    "WORKER__SHUTDOWN_TIMEOUT": 30,
    "API__HOST": "0.0.0.0",
    "API__PORT": 8000,
    "API__WORKERS": 1,
    "API__RELOAD": False,
    "API__CORS_ORIGINS": ("*",),
    "API__API_KEY_HEADER": "X-API-Key",
    "API__RATE_LIMIT_REQUESTS": 100,
    "API__RATE_LIMIT_WINDOW_SECONDS": 60,
    "SECURITY__API_KEYS": (),
    "SECURITY__SECRETS_BACKEND": "env",
    "SECURITY__VAULT_URL": None,
    "SECURITY__VAULT_TOKEN": None,
    "SECURITY__VAULT_MOUNT_POINT": "secret",
    "SECURITY__AWS_REGION": "us-east-1",
    "SECURITY__PII_REDACTION_ENABLED": True,
    "SECURITY__AUDIT_LOGGING_ENABLED": True,
    "OBSERVABILITY__LOG_LEVEL": "INFO",
    "OBSERVABILITY__LOG_FORMAT": "json",
    "OBSERVABILITY__SERVICE_NAME": "mongoclaw",
    "OBSERVABILITY__METRICS_ENABLED": True,
    "OBSERVABILITY__METRICS_PORT": 9090,
    "OBSERVABILITY__TRACING_ENABLED": False,
    "OBSERVABILITY__TRACING_ENDPOINT": None,
    "OBSERVABILITY__TRACING_SAMPLE_RATE": 0.1,
}


def value_of(settings: object, name: str) -> object:
    for part in name.lower().split("__"):
        settings = getattr(settings, part)
    return settings


def problems_of(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ)
    return caught.value.problems


@pytest.mark.parametrize(("name", "default"), list(CONTRACT_DEFAULTS.items()))
def test_every_name_and_default_of_the_contract_is_kept(name: str, default: object) -> None:
    assert value_of(load_settings({}), name) == default


def test_our_own_pool_is_wider_than_the_contracts_and_said_so() -> None:
    assert load_settings({}).worker.pool_size == 64


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MONGOCLAW_ENVIRONMENT", "prod"),
        ("MONGOCLAW_MONGODB__MAX_POOL_SIZE", "0"),
        ("MONGOCLAW_MONGODB__SERVER_SELECTION_TIMEOUT_MS", "999"),
        ("MONGOCLAW_AI__DEFAULT_TEMPERATURE", "2.1"),
        ("MONGOCLAW_WORKER__ROUTING_STRATEGY", "random"),
        ("MONGOCLAW_WORKER__DISPATCH_BACKPRESSURE_THRESHOLD", "1.5"),
        ("MONGOCLAW_WORKER__DISPATCH_MIN_PRIORITY_WHEN_BACKPRESSURED", "11"),
        ("MONGOCLAW_API__PORT", "65536"),
        ("MONGOCLAW_OBSERVABILITY__LOG_LEVEL", "LOUD"),
        ("MONGOCLAW_MONGODB__URI", "http://localhost"),
        ("MONGOCLAW_REDIS__URL", "localhost:6379"),
        ("MONGOCLAW_DATABASE__URL", "mysql://localhost/x"),
        ("MONGOCLAW_AI__SANDBOX_URL", "localhost:1"),
    ],
)
def test_a_value_out_of_range_is_one_line_that_begins_with_its_variable(variable: str, text: str) -> None:
    (problem,) = problems_of({variable: text})
    assert problem.startswith(f"{variable}: ")
    assert "\n" not in problem


def test_names_match_in_any_case() -> None:
    assert load_settings({"mongoclaw_Api__Port": "9"}).api.port == 9


def test_the_bare_name_is_a_fallback_of_the_documented_one() -> None:
    assert load_settings({"MONGODB_URI": "mongodb://bare"}).mongodb.uri == "mongodb://bare"
    both = {"MONGODB_URI": "mongodb://bare", "MONGOCLAW_MONGODB__URI": "mongodb://full"}
    assert load_settings(both).mongodb.uri == "mongodb://full"


@pytest.mark.parametrize(
    ("variable", "path", "value"),
    [
        ("REDIS_URL", "redis.url", "redis://r"),
        ("AI_DEFAULT_MODEL", "ai.default_model", "m"),
        ("WORKER_POOL_SIZE", "worker.pool_size", "7"),
        ("API_PORT", "api.port", "81"),
        ("SECURITY_API_KEYS", "security.api_keys", "k"),
        ("OBSERVABILITY_LOG_FORMAT", "observability.log_format", "console"),
        ("DATABASE_URL", "database.url", "postgresql://p/x"),
    ],
)
def test_every_group_reads_bare_names(variable: str, path: str, value: str) -> None:
    found = value_of(load_settings({variable: value}), path.replace(".", "__"))
    assert str(found[0] if isinstance(found, tuple) else found) == value


@pytest.mark.parametrize(
    ("variable", "documented", "text"),
    [
        ("MONGOCLAW_MONGODB_URI", "MONGOCLAW_MONGODB__URI", "mongodb://old"),
        ("MONGOCLAW_WORKER_CONCURRENCY", "MONGOCLAW_WORKER__POOL_SIZE", "5"),
        ("MONGOCLAW_LOG_LEVEL", "MONGOCLAW_OBSERVABILITY__LOG_LEVEL", "debug"),
    ],
)
def test_names_of_the_shipped_manifests_work_with_a_warning(
    variable: str, documented: str, text: str
) -> None:
    loaded = load({variable: text})
    assert str(value_of(loaded.settings, documented.removeprefix("MONGOCLAW_"))).lower() == text
    assert loaded.warnings == (f"{variable}: write {documented} instead",)


def test_every_renamed_name_points_at_a_setting() -> None:
    assert set(RENAMED.values()) <= {name.canonical for name in setting_names()}


def test_the_documented_name_wins_over_an_old_one() -> None:
    loaded = load({"MONGOCLAW_MONGODB_URI": "mongodb://old", "MONGOCLAW_MONGODB__URI": "mongodb://new"})
    assert loaded.settings.mongodb.uri == "mongodb://new"
    assert len(loaded.warnings) == 1


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("test-key", ("test-key",)),
        ("a,b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ('["a","b,c"]', ("a", "b,c")),
        ("[]", ()),
        ("", ()),
    ],
)
def test_a_list_is_comma_text_or_json(text: str, keys: tuple[str, ...]) -> None:
    assert load_settings({"MONGOCLAW_SECURITY__API_KEYS": text}).security.api_keys == keys


@pytest.mark.parametrize("text", ['["a"', "[1]", '[["a"]]'])
def test_a_broken_json_list_is_refused(text: str) -> None:
    (problem,) = problems_of({"MONGOCLAW_SECURITY__API_KEYS": text})
    assert problem.startswith("MONGOCLAW_SECURITY__API_KEYS: ")


def test_no_origin_at_all_can_be_said() -> None:
    assert load_settings({"MONGOCLAW_API__CORS_ORIGINS": ""}).api.cors_origins == ()


def test_an_empty_value_is_as_good_as_none() -> None:
    settings = load_settings({"MONGOCLAW_API__PORT": "", "MONGOCLAW_AI__SANDBOX_URL": " "})
    assert settings.api.port == 8000
    assert settings.ai.sandbox_url is None


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("MONGOCLAW_MONGODB__URL", "MONGOCLAW_MONGODB__URI"),
        ("MONGOCLAW_SECURTY__API_KEYS", "MONGOCLAW_SECURITY__API_KEYS"),
        ("MONGOCLAW_WORKER__POOLSIZE", "MONGOCLAW_WORKER__POOL_SIZE"),
        ("MONGOCLAW_WORKER__POOL_SIZ", "MONGOCLAW_WORKER__POOL_SIZE"),
        ("MONGOCLAW_POOL_SIZE", "MONGOCLAW_WORKER__POOL_SIZE"),
        ("MONGOCLAW_SECRET_KEY", "MONGOCLAW_SECURITY__SECRET_KEY"),
        ("MONGOCLAW_SECRET_KEY_FILE", "MONGOCLAW_SECURITY__SECRET_KEY_FILE"),
    ],
)
def test_a_misspelt_name_suggests_the_right_one(misspelt: str, meant: str) -> None:
    (problem,) = problems_of({misspelt: "1"})
    assert problem == f"{misspelt}: there is no such setting; did you mean {meant}?"


def test_a_name_like_no_other_points_at_the_list() -> None:
    (problem,) = problems_of({"MONGOCLAW_XYZZY": "1"})
    assert "mongoclaw config --format env" in problem


def test_all_problems_are_told_at_once() -> None:
    problems = problems_of(
        {
            "MONGOCLAW_API__PORT": "x",
            "MONGOCLAW_WORKER__POOL_SIZE": "0",
            "MONGOCLAW_NOPE": "1",
            "MONGOCLAW_REDIS__URL_FILE": "/does/not/exist",
            "MONGOCLAW_SECURITY__API_KEYS": "[",
        }
    )
    assert len(problems) == 5


def test_settings_that_contradict_each_other_are_named_by_their_variables() -> None:
    days = {"MONGOCLAW_RETENTION__TEXTS_DAYS": "9", "MONGOCLAW_RETENTION__EXECUTIONS_DAYS": "2"}
    (problem,) = problems_of(days)
    assert problem.startswith(
        "MONGOCLAW_RETENTION__TEXTS_DAYS: must not be more than MONGOCLAW_RETENTION__EXEC"
    )


def test_sentinel_in_the_wrong_place_is_told_the_right_one() -> None:
    (problem,) = problems_of({"MONGOCLAW_REDIS__URL": "sentinel://h:26379"})
    assert problem.startswith("MONGOCLAW_REDIS__URL: must start with redis://")
    assert "named in MONGOCLAW_BROKER__URL" in problem


def test_a_problem_never_shows_the_value() -> None:
    text = "\n".join(problems_of({"MONGOCLAW_MONGODB__URI": "hunter2", "REDIS_URL": "hunter2"}))
    assert "hunter2" not in text


def test_names_of_kubernetes_service_links_are_left_alone() -> None:
    settings = load_settings(
        {
            "MONGOCLAW_API_PORT": "tcp://10.0.0.1:8000",
            "MONGOCLAW_API_PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "MONGOCLAW_API_PORT_8000_TCP_ADDR": "10.0.0.1",
            "MONGOCLAW_API_SERVICE_HOST": "10.0.0.1",
            "MONGOCLAW_API_SERVICE_PORT": "8000",
            "MONGOCLAW_API_SERVICE_PORT_HTTP": "8000",
            "MONGOCLAW_SERVICE_HOST": "10.0.0.1",
            "MONGOCLAW_PORT": "tcp://10.0.0.1:8000",
        }
    )
    assert settings.api.port == 8000


def test_a_port_that_no_kubernetes_gave_is_a_misspelt_name() -> None:
    (problem,) = problems_of({"MONGOCLAW_PORT": "81"})
    assert "MONGOCLAW_API__PORT" in problem


def test_names_of_the_tests_are_left_alone() -> None:
    load_settings({"MONGOCLAW_TEST_MONGODB_URI": "x", "MONGOCLAW_ENV_FILE": "y"})


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("hunter2 \n", encoding="utf-8")
    settings = load_settings({"MONGOCLAW_SECURITY__SECRET_KEY_FILE": str(secret)})
    assert settings.security.secret_key == "hunter2"


def test_a_missing_file_is_told_with_its_variable() -> None:
    (problem,) = problems_of({"MONGOCLAW_MONGODB__URI_FILE": "/does/not/exist"})
    assert problem.startswith("MONGOCLAW_MONGODB__URI_FILE: cannot read /does/not/exist")


def test_a_value_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a", encoding="utf-8")
    (problem,) = problems_of(
        {
            "MONGOCLAW_SECURITY__SECRET_KEY": "a",
            "MONGOCLAW_SECURITY__SECRET_KEY_FILE": str(tmp_path / "key"),
        }
    )
    assert "MONGOCLAW_SECURITY__SECRET_KEY is given too" in problem


def test_settings_never_change() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.debug = True  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.api.port = 1  # type: ignore[misc]


def test_the_text_form_of_the_settings_holds_no_secret() -> None:
    settings = load_settings(
        {
            "MONGOCLAW_MONGODB__URI": "mongodb://u:hunter2@h",
            "MONGOCLAW_REDIS__URL": "redis://:hunter2@h",
            "MONGOCLAW_DATABASE__URL": "postgresql://u:hunter2@h/d",
            "MONGOCLAW_SECURITY__SECRET_KEY": "hunter2",
            "MONGOCLAW_SECURITY__API_KEYS": "hunter2",
            "MONGOCLAW_SECURITY__VAULT_TOKEN": "hunter2",
        }
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_development_gets_a_sqlite_file_below_the_state_directory(tmp_path: Path) -> None:
    settings = load_settings({}, directory=tmp_path)
    assert settings.database.url == f"sqlite:///{tmp_path}/.mongoclaw/mongoclaw.sqlite3"
    assert settings.state_dir == tmp_path / ".mongoclaw"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_elsewhere_no_database_is_invented(environment: str) -> None:
    settings = load_settings({"MONGOCLAW_ENVIRONMENT": environment})
    assert settings.database.url == ""
    assert settings.environment is Environment(environment)


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / "my.env"
    file.write_text(
        "# a comment\nMONGOCLAW_API__PORT=81\nexport MONGODB_URI='mongodb://file'\nOPENAI_API_KEY=sk-$x\n",
        encoding="utf-8",
    )
    environ = environment_with_file({"MONGOCLAW_ENV_FILE": str(file), "MONGOCLAW_API__PORT": "82"})
    settings = load_settings(environ)
    assert settings.api.port == 82
    assert settings.mongodb.uri == "mongodb://file"
    assert environ["OPENAI_API_KEY"] == "sk-$x"


def test_the_env_file_of_the_working_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MONGOCLAW_API__PORT=83", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert environment_with_file({})["MONGOCLAW_API__PORT"] == "83"
    assert environment_with_file({"MONGOCLAW_ENV_FILE": os.devnull}).get("MONGOCLAW_API__PORT") is None
