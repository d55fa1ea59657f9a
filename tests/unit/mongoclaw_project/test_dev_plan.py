"""What `mongoclaw dev` refuses before it starts anything, and what it tells commands beside it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from mongoclaw_project.cli.dev import is_found_unasked, local_plan
from mongoclaw_project.config import SettingsInvalid, load
from sandbox.addresses import Addresses
from sandbox.announcement import announced
from sandbox.child_output import FileSink
from sandbox.errors import ServerUnreachable
from sandbox.supervisor import Supervisor
from sandbox.system import SystemPlan, start_system

THERE = Addresses(mongodb="mongodb://h:1", broker="redis://h:2/0", database="sqlite:////d", web="http://h:3")


def plan(environ: dict[str, str], data_dir: Path, latency: str = "200") -> SystemPlan:
    return local_plan(environ, data_dir=data_dir, port=8000, latency=latency)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGOCLAW_BROKER__URL", "rabbit://h"),
        ("MONGOCLAW_REDIS__URL", "http://h"),
        ("MONGOCLAW_WORKER__ROUTING_STRATEGY", "by_agnet"),
        ("MONGOCLAW_RETENTION__TEXTS_DAYS", "-1"),
    ],
)
def test_a_wrong_setting_is_refused_before_a_server_starts(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"^{name}: "):
        plan({name: value}, tmp_path)


def test_a_latency_that_is_none_is_refused_before_a_server_starts(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="is none of: 200, 100-300"):
        plan({}, tmp_path, latency="fast")


def test_a_broker_of_ones_own_that_is_away_is_refused_before_a_server_starts(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    wanted = plan({"MONGOCLAW_REDIS__URL": "redis://127.0.0.1:9/0"}, data_dir)

    with (
        Supervisor(FileSink(tmp_path / "logs")) as supervisor,
        pytest.raises(ServerUnreachable, match="MONGOCLAW_REDIS__URL"),
    ):
        start_system(wanted, supervisor)

    assert not data_dir.exists()


def test_a_data_dir_of_its_own_is_not_found_by_commands_without_a_setting(tmp_path: Path) -> None:
    elsewhere = tmp_path / "data"

    assert not is_found_unasked(plan({}, elsewhere))
    assert is_found_unasked(plan({}, Path(".mongoclaw")))
    assert is_found_unasked(plan({"MONGOCLAW_STATE_DIR": str(elsewhere)}, elsewhere))


def test_commands_beside_it_look_for_messages_where_its_strategy_puts_them(tmp_path: Path) -> None:
    given = {
        "MONGOCLAW_WORKER__ROUTING_STRATEGY": "partitioned",
        "MONGOCLAW_WORKER__ROUTING_PARTITION_COUNT": "3",
        "MONGOCLAW_BROKER__URL": "amqp://h//",
    }
    state = tmp_path / ".mongoclaw"
    state.mkdir()

    with announced(THERE, state, plan(given, state).shared):
        beside = load({}, directory=tmp_path, beside_dev=True).settings
        own = load({"MONGOCLAW_WORKER__ROUTING_STRATEGY": "single"}, directory=tmp_path, beside_dev=True)

    assert (beside.worker.routing_strategy, beside.worker.routing_partition_count) == ("partitioned", 3)
    assert beside.broker.url == "amqp://h//"
    assert own.settings.worker.routing_strategy == "single"
