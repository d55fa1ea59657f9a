"""The way to the model from inside a worker: free of charge while nothing is wrong, and honest when Redis is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from enrichment.errors import AnswerRefused, RateLimited
from executions_app.limits import Admitted, Limiter, Refused, Rules, Spent
from executions_app.limits.limiter import Budget, connect
from executions_app.states import Reason
from tasks.gate import Gate
from tests.conditions import eventually


def rules(**limits: Any) -> Rules:
    return Rules(**{"agent_id": "triage", "account": "openai", "model": "gpt-4o", **limits})


def make_gate(redis: Redis, *, lease_seconds: float = 6.0, quarantine_seconds: float = 30.0) -> Gate:
    limiter = Limiter(redis, lease_seconds=lease_seconds, monotonic=time.monotonic)
    budget = Budget(failures=2, window_seconds=60, quarantine_seconds=quarantine_seconds)
    return Gate(limiter, budget, lease_seconds=lease_seconds, monotonic=time.monotonic)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = connect(redis_url)
    yield client
    client.close()


def test_a_call_without_limits_asks_nobody(redis: Redis) -> None:
    gate = make_gate(redis)
    before = redis.info("commandstats")
    for number in range(50):
        admitted = gate.enter(rules(), str(number), tokens=10)
        assert isinstance(admitted, Admitted)
        gate.heard(rules(), None)
        gate.heard(rules(), AnswerRefused())
        gate.leave(rules(), admitted, Spent(calls=1, tokens=10))
    after = redis.info("commandstats")

    asked = {name for name in after if after[name]["calls"] != before.get(name, {"calls": 0})["calls"]}
    assert asked <= {"cmdstat_info"}


def test_what_one_worker_hears_another_one_knows_soon(redis: Redis) -> None:
    one, other = make_gate(redis), make_gate(redis)
    other.start()
    try:
        one.heard(rules(), RateLimited(retry_after=30))

        assert one.held_up(rules()) is not None, "at once where it was heard"
        assert eventually(lambda: other.held_up(rules()) is not None)
        refused = other.enter(rules(), "run", tokens=0)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.PROVIDER_COOLDOWN
        assert other.held_up(rules(model="another")) is None
    finally:
        other.stop()


def test_a_place_is_kept_while_its_run_goes_on_and_free_soon_after_its_worker_is_gone(redis: Redis) -> None:
    gate, other = make_gate(redis, lease_seconds=0.6), make_gate(redis, lease_seconds=0.6)
    one = rules(at_once=1)
    gate.start()
    assert isinstance(gate.enter(one, "long", tokens=0), Admitted)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert isinstance(other.enter(one, "next", tokens=0), Refused)

    gate.stop()

    assert eventually(lambda: isinstance(other.enter(one, "next", tokens=0), Admitted))


def test_without_redis_agents_with_limits_wait_and_all_others_go_on() -> None:
    gate = make_gate(connect("redis://127.0.0.1:1/0"))

    free = gate.enter(rules(), "free", tokens=0)
    bound = gate.enter(rules(at_once=3), "bound", tokens=0)

    assert isinstance(free, Admitted)
    assert isinstance(bound, Refused)
    assert (bound.reason, bound.seconds) == (Reason.LIMITER_UNAVAILABLE, 2.0)
    gate.leave(rules(), free, Spent())
    gate.heard(rules(), RateLimited())


def test_too_many_failures_quarantine_an_agent_and_a_budget_of_no_seconds_never_does(redis: Redis) -> None:
    gate, lenient = make_gate(redis), make_gate(redis, quarantine_seconds=0)
    for _ in range(5):
        lenient.failed(rules())
    lenient.look()
    assert lenient.held_up(rules()) is None

    gate.failed(rules())
    assert gate.held_up(rules()) is None
    gate.failed(rules())

    held = gate.held_up(rules())
    assert held is not None
    assert held.reason is Reason.QUARANTINED
    assert gate.held_up(rules(agent_id="other")) is None
