"""RabbitMQ as the broker: killed, emptied, and with queues that follow the agents."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from kombu import Connection

from mongoclaw_project.celery_queues import queue, quorum_arguments
from sandbox.embedded import RunningServer, start_rabbitmq
from tests.acceptance.conftest import Fleet
from tests.conditions import eventually

QUEUED = "SELECT count(*) FROM executions_app_execution WHERE status = 'queued'"


@contextmanager
def restarted(server: RunningServer) -> Iterator[RunningServer]:
    """The same server again, with its data."""
    again = start_rabbitmq(server.data_dir, port=server.port)
    try:
        yield again
    finally:
        again.kill()


@pytest.mark.timeout(240)  # RabbitMQ starts three times
def test_a_rabbitmq_killed_with_runs_in_the_air_takes_no_worker_with_it(
    fleet: Fleet, own_rabbitmq: RunningServer
) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = own_rabbitmq.url
    fleet.publish()
    fleet.start()
    fleet.insert(1)
    fleet.wait_for(lambda: fleet.enriched() == 1)
    # RabbitMQ 3.10 knows its quorum queues again after a kill only if they were written down since they were made,
    # which happens every three minutes and when it is stopped.
    own_rabbitmq.stop()
    with restarted(own_rabbitmq) as broker:
        fleet.model.set_latency(2000)
        fleet.insert(20, start=1)
        fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 20)

        broker.kill()
        fleet.insert(20, start=21)
        fleet.wait_for(lambda: fleet.enriched() == 21)
    with restarted(own_rabbitmq):
        fleet.wait_for(lambda: fleet.enriched() == 41)
        fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 41


def test_a_rabbitmq_that_lost_its_messages_loses_nothing(fleet: Fleet, rabbitmq_url: str) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = rabbitmq_url
    fleet.publish()
    fleet.start_watcher()
    fleet.insert(300)
    fleet.wait_for(lambda: fleet.count(QUEUED) > 0)

    with Connection(rabbitmq_url) as connection:
        channel: Any = connection.default_channel
        channel.queue_delete("mongoclaw")
    fleet.start_worker()

    fleet.wait_for(lambda: fleet.enriched() == 300)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 300


def test_queues_of_rabbitmq_come_with_the_agents_while_the_worker_runs(
    fleet: Fleet, rabbitmq_url: str
) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = rabbitmq_url
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_agent"
    name = f"by-{fleet.db.name[2:]}"
    fleet.start_watcher()
    fleet.start_worker(queues="")
    try:
        fleet.publish(id=name)
        fleet.insert(20)
        fleet.wait_for(lambda: fleet.enriched() == 20)
        assert f"Started consuming from mongoclaw.agent.{name}" in fleet.log("worker")
        told = fleet.cli("doctor", check=False).stdout
        assert "answers: RabbitMQ" in told
        assert "0 messages wait in 2 queues" in told
    finally:
        fleet.stop("worker")
        fleet.kill("watcher")
        with Connection(rabbitmq_url) as connection:
            channel: Any = connection.default_channel
            channel.queue_delete(f"mongoclaw.agent.{name}")


@pytest.mark.timeout(240)
def test_two_workers_of_one_name_share_a_rabbitmq_and_one_may_come_back(
    fleet: Fleet, rabbitmq_url: str
) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = rabbitmq_url
    fleet.publish()
    fleet.start_watcher()
    fleet.start_worker("worker-1")
    # RabbitMQ takes a paused one's connection for alive, as it does one whose line was cut.
    fleet.children["worker-1"].process.send_signal(signal.SIGSTOP)
    fleet.start_worker("worker-2")
    fleet.wait_for(lambda: "celery@" in fleet.log("worker-2") and "ready" in fleet.log("worker-2"))
    fleet.children["worker-1"].process.send_signal(signal.SIGCONT)
    fleet.insert(20)
    fleet.wait_for(lambda: fleet.enriched() == 20)


def holds_one(channel: Any, name: str) -> bool:
    return bool(channel.queue_declare(name, passive=True).message_count == 1)


def test_messages_that_no_worker_takes_are_named_with_their_queue(fleet: Fleet, rabbitmq_url: str) -> None:
    fleet.environ["MONGOCLAW_BROKER__URL"] = rabbitmq_url
    with Connection(rabbitmq_url) as connection:
        queue("mongoclaw", quorum_arguments(20))(connection.default_channel).declare()
        for name in ("mongoclaw", "mongoclaw.dead"):
            connection.Producer().publish("{}", exchange="", routing_key=name)
            # A quorum has to agree on it first.
            eventually(partial(holds_one, connection.default_channel, name))

    findings = json.loads(fleet.cli("doctor", "--json", check=False).stdout)["findings"]

    found = {finding["message"]: finding["level"] for finding in findings if finding["area"] == "Queue"}
    assert found.get("1 messages wait in the queue mongoclaw") == "ok", found
    assert found["1 messages wait in mongoclaw, which no worker consumes"] == "warn"
    assert [level for message, level in found.items() if "lie in mongoclaw.dead" in message] == ["warn"]
