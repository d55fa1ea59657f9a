from __future__ import annotations

import json
import re
import subprocess
from importlib.resources import files
from ipaddress import ip_network
from typing import Any

import pytest
import yaml
from django.test import RequestFactory
from jsonschema import Draft7Validator
from rest_framework.request import Request

from mongoclaw_project.config import load
from mongoclaw_project.metrics.access import is_let_in
from mongoclaw_project.safety import dangers
from tests.compose import (
    END_BY_THEMSELVES,
    MONITORS,
    OURS,
    ROOT,
    SECRETS,
    STORES,
    VARIABLE,
    example,
    interpolated,
    text,
)


@pytest.fixture
def compose() -> dict[str, Any]:
    return interpolated(SECRETS)


def test_the_file_is_valid_by_the_compose_specification(compose: dict[str, Any]) -> None:
    schema_file = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    errors = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(compose)]
    assert errors == []


def test_every_part_of_the_fleet_is_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*STORES, *OURS, *MONITORS}


@pytest.mark.parametrize("name", list(SECRETS))
def test_no_secret_has_a_default(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        interpolated({other: value for other, value in SECRETS.items() if other != name})


def test_every_secret_is_in_the_example_file_without_a_value() -> None:
    assert {name: value for name, value in example().items() if name in SECRETS} == dict.fromkeys(SECRETS, "")


def test_the_example_file_names_every_variable_and_no_other_and_says_its_default() -> None:
    given = example()
    found = {match["name"]: match for match in VARIABLE.finditer(text())}
    assert set(given) == set(found)
    defaults = {name: match["rest"] for name, match in found.items() if match["kind"] == ":-"}
    assert {name: given[name] for name in defaults if name in given} == {
        name: default for name, default in defaults.items() if name in given
    }


def test_the_example_file_holds_no_name_that_the_settings_do_not_know() -> None:
    assert load({**example(), **SECRETS}).warnings == ()


@pytest.mark.parametrize("service", OURS)
def test_each_part_reads_further_settings_from_a_file_that_need_not_be_there(
    compose: dict[str, Any], service: str
) -> None:
    (file,) = compose["services"][service]["env_file"]
    assert file == {"path": "mongoclaw.env", "required": False}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "mongoclaw.env"} <= set(ignored)


@pytest.mark.parametrize("service", OURS)
def test_each_part_starts_with_settings_that_are_valid_and_safe(
    compose: dict[str, Any], service: str
) -> None:
    loaded = load(compose["services"][service]["environment"])
    assert loaded.warnings == ()
    assert dangers(loaded.settings) == ()


def test_four_parts_are_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {
        "web": ["127.0.0.1:8000:8000"],
        "flower": ["127.0.0.1:5555:5555"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_nothing_runs_as_root_or_may_become_it(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "build" in service or service["user"] not in {"root", "0"}, name


def test_only_mongodb_may_write_into_its_image(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if not service["read_only"]] == ["mongo"]


def test_all_but_those_that_end_by_themselves_have_a_health_check(compose: dict[str, Any]) -> None:
    without = {name for name, service in compose["services"].items() if "healthcheck" not in service}
    assert without == set(END_BY_THEMSELVES)


@pytest.mark.parametrize("service", [*STORES, *MONITORS])
def test_what_a_shell_shall_run_is_a_script(compose: dict[str, Any], service: str) -> None:
    part = compose["services"][service]
    commands = [
        part.get("entrypoint", []),
        part.get("command", []),
        part.get("healthcheck", {}).get("test", []),
    ]
    scripts = [words[-1] for words in commands if "-c" in words or "CMD-SHELL" in words]
    for script in scripts:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_every_part_waits_for_healthy_stores_and_for_the_migration(compose: dict[str, Any]) -> None:
    for name in ("web", "watcher", "worker"):
        needs = compose["services"][name]["depends_on"]
        assert needs == {
            **{store: {"condition": "service_healthy"} for store in STORES},
            "migrate": {"condition": "service_completed_successfully"},
        }


def test_every_volume_and_every_mounted_file_is_there(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    sources = {mount.partition(":")[0] for mount in mounts}
    assert {source for source in sources if not source.startswith("./")} == set(compose["volumes"])
    assert [source for source in sources if source.startswith("./") and not (ROOT / source).is_file()] == []


def test_there_are_two_watchers(compose: dict[str, Any]) -> None:
    assert compose["services"]["watcher"]["deploy"]["replicas"] == 2


def scraped() -> dict[str, int]:
    """The services that Prometheus asks, and their ports."""
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text(encoding="utf-8"))
    found: dict[str, int] = {}
    for job in config["scrape_configs"]:
        for place in job.get("static_configs", []):
            found |= {name: int(port) for name, _, port in (one.partition(":") for one in place["targets"])}
        for place in job.get("dns_sd_configs", []):
            found |= dict.fromkeys(place["names"], place["port"])
    return found


def test_prometheus_finds_the_metrics_where_they_are(compose: dict[str, Any]) -> None:
    web, watcher, worker = (
        load(compose["services"][name]["environment"]).settings for name in ("web", "watcher", "worker")
    )
    assert scraped() == {
        "web": web.api.port,
        "watcher": watcher.watcher.metrics_port,
        "worker": worker.observability.metrics_port,
    }
    assert watcher.watcher.metrics_host == worker.observability.metrics_host == "0.0.0.0"
    for name in ("prometheus", *scraped()):
        assert "measured" in compose["services"][name]["networks"]


def test_the_web_server_stays_healthy_whatever_hosts_are_named() -> None:
    web = interpolated({**SECRETS, "MONGOCLAW_API__ALLOWED_HOSTS": "claw.example.com"})["services"]["web"]
    asked = re.search(r"http://([\w.]+):", web["healthcheck"]["test"][-1])
    assert asked is not None
    assert {asked[1], "claw.example.com"} <= set(load(web["environment"]).settings.api.allowed_hosts)


def test_the_web_server_tells_its_metrics_to_the_network_of_prometheus_and_to_no_other(
    compose: dict[str, Any],
) -> None:
    settings = load(compose["services"]["web"]["environment"]).settings
    assert "web" in settings.api.allowed_hosts
    assert "127.0.0.1" in settings.api.allowed_hosts
    measured = compose["networks"]["measured"]
    assert measured["internal"]
    networks = settings.observability.metrics_access
    subnet = ip_network(measured["ipam"]["config"][0]["subnet"])
    inside, outside = str(subnet[5]), str(subnet.broadcast_address + 5)
    assert is_let_in(networks, Request(RequestFactory().get("/metrics", REMOTE_ADDR=inside)))
    assert not is_let_in(networks, Request(RequestFactory().get("/metrics", REMOTE_ADDR=outside)))


def test_prometheus_asks_for_a_password_and_grafana_knows_it(compose: dict[str, Any]) -> None:
    users, prometheus, grafana = (compose["services"][name] for name in MONITORS)
    password = SECRETS["PROMETHEUS_PASSWORD"]
    assert {part["environment"]["PROMETHEUS_PASSWORD"] for part in (users, prometheus, grafana)} == {password}
    assert prometheus["depends_on"] == {"prometheus-users": {"condition": "service_completed_successfully"}}
    assert "prometheus-users:/tmp" in users["volumes"]
    assert users["command"][-1].endswith("> /tmp/users.yml\n")
    assert "--web.config.file=/etc/prometheus-users/users.yml" in prometheus["command"]
    assert "prometheus-users:/etc/prometheus-users:ro" in prometheus["volumes"]
    sources = yaml.safe_load((ROOT / "deploy/grafana/datasources.yml").read_text(encoding="utf-8"))
    source = sources["datasources"][0]
    named = {source["basicAuthUser"][1:], source["secureJsonData"]["basicAuthPassword"][1:]}
    assert source["basicAuth"]
    assert named <= set(grafana["environment"])
    assert grafana["environment"]["PROMETHEUS_USER"] == "prometheus"


def test_grafana_asks_for_a_password_and_lets_nobody_sign_up(compose: dict[str, Any]) -> None:
    environment = compose["services"]["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == SECRETS["GRAFANA_PASSWORD"]
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert not [name for name in environment if name.startswith("GF_AUTH_")]


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


def test_every_image_of_others_has_a_version(compose: dict[str, Any]) -> None:
    images = [service["image"] for service in compose["services"].values()]
    assert [image for image in images if not re.search(r":v?\d+(\.\d+)*(-alpine)?$", image)] == []
