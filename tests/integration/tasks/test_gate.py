"""The way to the model from inside a worker: free of charge while nothing is wrong, and honest when Redis is away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from enrichment.errors import AnswerRefused, RateLimited
from executions_app.limits import Admitted, Allowance, Limiter, Refused, Rules, Spent
from executions_app.limits.absence import SHORTEST_SECONDS
from executions_app.limits.limiter import PREFIX, Budget, connect
from executions_app.states import Reason
from sandbox.embedded import RunningServer, start_valkey
from tasks.gate import Gate
from tests.conditions import eventually


def rules(**limits: Any) -> Rules:
    return Rules(**{"agent_id": "triage", "account": "openai", "model": "gpt-4o", **limits})


def make_gate(redis: Redis, *, lease_seconds: float = 6.0, quarantine_seconds: float = 30.0) -> Gate:
    limiter = Limiter(redis, lease_seconds=lease_seconds, monotonic=time.monotonic)
    budget = Budget(failures=2, window_seconds=60, quarantine_seconds=quarantine_seconds)
    return Gate(limiter, budget, lease_seconds=lease_seconds, monotonic=time.monotonic)


def test_a_call_without_limits_asks_nobody(redis: Redis) -> None:
    gate = make_gate(redis)
    before = redis.info("commandstats")
    for number in range(50):
        admitted = gate.enter(rules(), str(number), most=Spent())
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
        refused = other.enter(rules(), "run", most=Spent())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.PROVIDER_COOLDOWN
        assert other.held_up(rules(model="another")) is None
    finally:
        other.stop()


def test_a_place_is_kept_while_its_run_goes_on_and_free_soon_after_its_worker_is_gone(redis: Redis) -> None:
    gate, other = make_gate(redis, lease_seconds=0.6), make_gate(redis, lease_seconds=0.6)
    one = rules(at_once=1)
    gate.start()
    assert isinstance(gate.enter(one, "long", most=Spent()), Admitted)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert isinstance(other.enter(one, "next", most=Spent()), Refused)

    gate.stop()

    assert eventually(lambda: isinstance(other.enter(one, "next", most=Spent()), Admitted))


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own, to be frozen."""
    server = start_valkey(tmp_path)
    yield server
    os.kill(server.pid, signal.SIGCONT)
    server.stop()


def test_a_lease_outlives_a_silence_of_redis_that_is_shorter_than_itself(own_valkey: RunningServer) -> None:
    gate = make_gate(connect(own_valkey.url, patience=0.2), lease_seconds=4.8)
    leases = f"{PREFIX}leases:triage"
    gate.start()
    try:
        assert isinstance(gate.enter(rules(at_once=1), "long", most=Spent()), Admitted)
        with connect(own_valkey.url) as redis:
            os.kill(own_valkey.pid, signal.SIGSTOP)
            ends = time.monotonic() + 2.8
            assert eventually(lambda: time.monotonic() > ends)
            os.kill(own_valkey.pid, signal.SIGCONT)
            lease_ms = redis.zscore(leases, "long")

            assert eventually(lambda: redis.zscore(leases, "long") != lease_ms, every=0.01)

            seconds, micros = redis.time()
        assert isinstance(lease_ms, float)
        assert seconds * 1000 + micros / 1000 < lease_ms, "renewed before anybody else could have its place"
    finally:
        gate.stop()


def test_agents_with_limits_go_on_as_soon_as_redis_answers_again(own_valkey: RunningServer) -> None:
    gate = make_gate(connect(own_valkey.url, patience=0.1))
    bound = rules(at_once=3)
    gate.start()
    try:
        os.kill(own_valkey.pid, signal.SIGSTOP)
        refused = gate.enter(bound, "a", most=Spent())
        assert isinstance(refused, Refused)
        assert refused.reason == Reason.LIMITER_UNAVAILABLE
        os.kill(own_valkey.pid, signal.SIGCONT)
        since = time.monotonic()

        assert eventually(lambda: isinstance(gate.enter(bound, "b", most=Spent()), Admitted), every=0.01)

        assert time.monotonic() - since < SHORTEST_SECONDS
    finally:
        gate.stop()


def test_a_redis_that_says_nothing_holds_dispatch_up_once_and_then_for_ever_longer_pauses_not(
    own_valkey: RunningServer,
) -> None:
    seconds = [0.0]
    limiter = Limiter(connect(own_valkey.url, patience=0.05), lease_seconds=6.0, monotonic=lambda: seconds[0])
    allowance = Allowance(limiter)
    asked = [rules(at_once=3), rules(agent_id="free")]
    os.kill(own_valkey.pid, signal.SIGSTOP)
    waited = 0
    for _ in range(4 * 60):
        began = time.monotonic()
        assert allowance.most(asked) == {"triage": 0}
        waited += time.monotonic() - began > 0.04
        seconds[0] += 0.25

    assert waited == 5, "at 0, 2, 6, 14 and 30 seconds"
    os.kill(own_valkey.pid, signal.SIGCONT)
    seconds[0] = 59.0
    assert allowance.most(asked) == {"triage": 0}, "it is not asked for the moment"

    limiter.renew([(asked[0], "goes on")])

    assert allowance.most(asked) == {"triage": 3}, (
        "whoever renews asks all the same, and its answer counts for all"
    )


def test_the_probe_of_an_agent_without_limits_keeps_its_turn_while_it_goes_on(redis: Redis) -> None:
    gate, other = make_gate(redis, lease_seconds=0.6), make_gate(redis, lease_seconds=0.6)
    name = rules().circuit
    redis.hset(f"{PREFIX}pauses", name, "circuit_open:1")
    redis.hset(f"{PREFIX}record:{name}", "open_until", "1")
    gate.start()
    other.look()
    probe = gate.enter(rules(), "probe", most=Spent())
    assert isinstance(probe, Admitted)
    try:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert isinstance(other.enter(rules(), "next", most=Spent()), Refused)

        gate.leave(rules(), probe, Spent(calls=1))

        assert isinstance(other.enter(rules(), "next", most=Spent()), Admitted)
    finally:
        gate.stop()


def test_without_redis_agents_with_limits_wait_and_all_others_go_on() -> None:
    gate = make_gate(connect("redis://127.0.0.1:1/0"))

    free = gate.enter(rules(), "free", most=Spent())
    bound = gate.enter(rules(at_once=3), "bound", most=Spent())

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
