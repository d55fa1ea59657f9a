"""Queues by agent, collection or priority: workers follow the agents by themselves, and dedicated ones serve theirs."""

from __future__ import annotations

from typing import Any

from redis import Redis

from tests.acceptance.conftest import Fleet
from tests.acceptance.publishing import publish_all


def consumed(fleet: Fleet) -> set[str]:
    """The queues that all workers consume, by their own word."""
    from celery import Celery

    app = Celery("asking", broker=fleet.broker.url, set_as_current=False)
    try:
        answers: dict[str, Any] = app.control.inspect(timeout=2).active_queues() or {}
    finally:
        app.close()
    return {queue["name"] for queues in answers.values() for queue in queues}


def test_queues_come_and_go_with_the_agents_while_the_worker_runs(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_agent"
    fleet.start_watcher()
    fleet.start_worker(queues="")
    fleet.wait_for(lambda: consumed(fleet) == {"mongoclaw"})

    fleet.publish()
    fleet.insert(5)
    fleet.wait_for(lambda: fleet.enriched() == 5)
    assert consumed(fleet) == {"mongoclaw", "mongoclaw.agent.support"}

    fleet.cli("agents", "disable", "support")
    fleet.wait_for(lambda: consumed(fleet) == {"mongoclaw"})
    assert "Canceling queue mongoclaw.agent.support" in fleet.log("worker")


def test_a_worker_cut_off_from_the_broker_comes_back_to_all_its_queues(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_agent"
    fleet.publish()
    fleet.start_watcher()
    fleet.start_worker(queues="")
    fleet.insert(5)
    fleet.wait_for(lambda: fleet.enriched() == 5)

    with Redis.from_url(fleet.broker.url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    fleet.publish(id="other", watch={"collection": "others"})
    fleet.insert(5, start=5)
    fleet.db.others.insert_many([{"text": f"other {number}"} for number in range(5)])

    fleet.wait_for(lambda: fleet.enriched() == 10)
    fleet.wait_for(lambda: fleet.db.others.count_documents({"ai": {"$exists": True}}) == 5)


def test_a_dedicated_worker_serves_its_agent_alone_and_what_nobody_serves_waits(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_agent"
    fleet.publish()
    fleet.publish(id="other", watch={"collection": "others"})
    fleet.start_watcher()
    fleet.start_worker("dedicated", queues="mongoclaw.agent.support,mongoclaw.agent.othr")
    fleet.insert(20)
    fleet.db.others.insert_many([{"text": f"other {number}"} for number in range(20)])

    fleet.wait_for(lambda: fleet.enriched() == 20)
    assert consumed(fleet) == {"mongoclaw.agent.support", "mongoclaw.agent.othr"}
    assert fleet.db.others.count_documents({"ai": {"$exists": True}}) == 0
    told = fleet.cli("doctor", check=False).stdout
    assert "20 messages wait in mongoclaw.agent.other, which no worker consumes" in told
    assert "consumes mongoclaw.agent.othr, which no message goes into" in told
    assert "did you mean mongoclaw.agent.other?" in told

    fleet.start_worker("general", queues="")
    fleet.wait_for(lambda: fleet.db.others.count_documents({"ai": {"$exists": True}}) == 20)
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 40


def test_a_worker_without_a_word_of_queues_takes_work_of_every_priority(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_priority"
    fleet.publish(execution={"priority": 7})
    fleet.publish(id="other", watch={"collection": "others"})
    fleet.start_watcher()
    fleet.start_worker(queues="")
    fleet.insert(20)
    fleet.db.others.insert_many([{"text": f"other {number}"} for number in range(20)])

    fleet.wait_for(lambda: fleet.enriched() == 20)
    fleet.wait_for(lambda: fleet.db.others.count_documents({"ai": {"$exists": True}}) == 20)
    fleet.wait_until_idle()


def test_agents_beyond_the_limit_share_partitions_and_what_was_sent_before_is_run(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__ROUTING_STRATEGY"] = "by_agent"
    fleet.environ["MONGOCLAW_WORKER__WINDOW_PER_SLOT"] = "25"  # so that the old queue is long when it is left
    fleet.model.set_latency(1000)
    fleet.publish()
    fleet.start_watcher()
    fleet.start_worker(queues="", threads=8)
    fleet.insert(80)
    fleet.wait_for(lambda: fleet.enriched() > 0)

    publish_all(fleet, [fleet.spec(id=f"a{n}", watch={"collection": f"c{n}"}) for n in range(70)])
    fleet.wait_for(lambda: "mongoclaw.partition.0" in consumed(fleet))
    for number in range(70):
        fleet.db[f"c{number}"].insert_one({"text": f"one of {number}"})

    fleet.wait_for(lambda: fleet.enriched() == 80)
    fleet.model.set_latency(0)
    fleet.wait_until_idle()
    fleet.wait_for(lambda: len(consumed(fleet)) == 9, seconds=30)
    assert fleet.count("SELECT count(*) FROM executions_app_execution WHERE status = 'completed'") == 150
    assert fleet.model.calls()["total"] == 150
