from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from mongoclaw_project.config import load
from mongoclaw_project.safety import dangers

ROOT = Path(__file__).parents[3]
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<kind>:[-?])?(?P<rest>[^}]*)\}")
SECRETS = {
    "MONGOCLAW_SECURITY__SECRET_KEY": "s" * 40,
    "MONGOCLAW_SECURITY__API_KEYS": "k" * 40,
    "MONGO_PASSWORD": "m" * 40,
    "MONGO_REPLICA_KEY": "r" * 40,
    "VALKEY_PASSWORD": "v" * 40,
    "POSTGRES_PASSWORD": "p" * 40,
    "FLOWER_AUTH": "flower:" + "f" * 40,
}
OURS = ("migrate", "web", "watcher", "worker", "flower")


def text() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def interpolated(environ: dict[str, str]) -> dict[str, Any]:
    """The file as Compose reads it; a required variable that is missing raises KeyError."""

    def value(match: re.Match[str]) -> str:
        if match["kind"] == ":?":
            return environ[match["name"]]
        return environ.get(match["name"]) or match["rest"]

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: walk(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        return VARIABLE.sub(value, node) if isinstance(node, str) else node

    return dict(walk(yaml.safe_load(text())))


@pytest.fixture
def compose() -> dict[str, Any]:
    return interpolated(SECRETS)


def test_the_file_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    schema_file = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    errors = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(compose)]
    assert errors == []


def test_every_part_of_the_fleet_is_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"mongo", "valkey", "postgres", *OURS}


@pytest.mark.parametrize("name", list(SECRETS))
def test_no_secret_has_a_default(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        interpolated({other: value for other, value in SECRETS.items() if other != name})


def test_every_secret_is_in_the_example_file_without_a_value() -> None:
    lines = (ROOT / "deploy/compose.env.example").read_text(encoding="utf-8").splitlines()
    assert {f"{name}=" for name in SECRETS} <= set(lines)


def test_every_variable_is_in_the_example_file_or_has_a_default() -> None:
    example = (ROOT / "deploy/compose.env.example").read_text(encoding="utf-8")
    missing = {
        match["name"]
        for match in VARIABLE.finditer(text())
        if f"{match['name']}=" not in example and not match["rest"]
    }
    assert missing == set()


def test_the_example_file_holds_no_name_that_the_settings_refuse() -> None:
    lines = (ROOT / "deploy/compose.env.example").read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    load(dict.fromkeys(names, ""))


@pytest.mark.parametrize("service", OURS)
def test_each_part_starts_with_settings_that_are_valid_and_safe(
    compose: dict[str, Any], service: str
) -> None:
    loaded = load(compose["services"][service]["environment"])
    assert loaded.warnings == ()
    assert dangers(loaded.settings) == ()


def test_only_loopback_is_published(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_part_waits_for_healthy_stores_and_for_the_migration(compose: dict[str, Any]) -> None:
    for store in ("mongo", "valkey", "postgres"):
        assert "healthcheck" in compose["services"][store]
    for name in ("web", "watcher", "worker"):
        needs = compose["services"][name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}
        assert needs["mongo"] == {"condition": "service_healthy"}


def test_each_watcher_says_whether_it_is_ready_where_it_is_asked(compose: dict[str, Any]) -> None:
    watcher = compose["services"]["watcher"]
    settings = load(watcher["environment"]).settings.watcher
    assert watcher["deploy"]["replicas"] == 2
    assert settings.metrics_host == "0.0.0.0"
    assert f":{settings.metrics_port}/health/ready" in watcher["healthcheck"]["test"][-1]
    assert "ports" not in watcher


def test_flower_asks_for_a_password_and_only_looks_and_the_workers_tell_it_of_their_tasks(
    compose: dict[str, Any],
) -> None:
    flower = compose["services"]["flower"]["environment"]
    assert flower["FLOWER_BASIC_AUTH"] == SECRETS["FLOWER_AUTH"]
    assert flower["FLOWER_READ_ONLY"] == "true"
    worker = compose["services"]["worker"]
    assert load(worker["environment"]).settings.flower.enabled
    assert "-Q" not in worker["command"]


def test_the_broker_never_evicts_messages(compose: dict[str, Any]) -> None:
    assert "--maxmemory-policy noeviction" in compose["services"]["valkey"]["command"][-1]


def test_mongodb_is_a_replica_set_that_its_health_check_initiates(compose: dict[str, Any]) -> None:
    mongo = compose["services"]["mongo"]
    assert "--replSet rs0" in mongo["entrypoint"][-1]
    assert "rs.initiate" in mongo["healthcheck"]["test"][-1]
    assert "replicaSet=rs0" in compose["services"]["watcher"]["environment"]["MONGOCLAW_MONGODB__URI"]


def test_the_image_installs_locked_hashes_and_runs_unprivileged() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r /src/requirements.runtime.lock" in dockerfile
    assert "\nUSER mongoclaw\n" in dockerfile
