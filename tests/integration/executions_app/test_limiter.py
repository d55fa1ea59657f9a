"""The limiter on a real server: each limit, what holds everybody up, and what is left when it forgets."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from enrichment.errors import ProviderUnavailable, QuotaExhausted, RateLimited
from executions_app.limits import (
    Admitted,
    Lesson,
    Limiter,
    LimiterUnavailable,
    Pauses,
    Refused,
    Rules,
    Spent,
    lessons_of,
)
from executions_app.limits.limiter import PREFIX, Budget, connect
from tests.conditions import eventually

MINUTE_MS = 60_000


def rules(**limits: Any) -> Rules:
    return Rules(**{"agent_id": "triage", "account": "openai", "model": "gpt-4o", **limits})


@pytest.fixture
def limiter(redis: Redis) -> Limiter:
    return make(redis)


def make(redis: Redis, *, lease_seconds: float = 6.0) -> Limiter:
    return Limiter(redis, lease_seconds=lease_seconds, monotonic=time.monotonic)


def admit(limiter: Limiter, asked: Rules, run: str, *, tokens: int = 0) -> str:
    """Return "" if the call may begin, else why not."""
    answer = limiter.admit(asked, run, tokens=tokens)
    return "" if isinstance(answer, Admitted) else answer.reason


def held(limiter: Limiter, asked: Rules) -> Refused | None:
    return limiter.pauses().holding(asked.names, monotonic=time.monotonic())


def test_never_more_runs_at_once_than_the_agent_allows_however_many_ask(limiter: Limiter) -> None:
    three = rules(at_once=3)
    going, most, lock = [0], [0], threading.Lock()

    def run(number: int) -> bool:
        answer = limiter.admit(three, f"run-{number}", tokens=0)
        if isinstance(answer, Refused):
            return False
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
        time.sleep(0.002)
        with lock:
            going[0] -= 1
        limiter.release(three, answer, Spent())
        return True

    with ThreadPoolExecutor(16) as threads:
        admitted = sum(threads.map(run, range(400)))

    assert most[0] == 3
    assert admitted > 3
    assert limiter.rooms([three]) == {"triage": 3}


def test_another_agents_runs_do_not_count(limiter: Limiter) -> None:
    assert admit(limiter, rules(at_once=1), "a") == ""
    assert admit(limiter, rules(at_once=1), "b") == "concurrency_limit"
    assert admit(limiter, rules(at_once=1, agent_id="other"), "c") == ""


def test_the_place_of_a_worker_that_died_is_free_after_its_lease(redis: Redis) -> None:
    limiter = make(redis, lease_seconds=0.2)
    assert admit(limiter, rules(at_once=1), "dead") == ""

    assert eventually(lambda: admit(limiter, rules(at_once=1), "next") == "")


def test_a_lease_that_is_renewed_outlasts_its_time_and_one_that_ran_out_does_not_come_back(
    redis: Redis,
) -> None:
    one = rules(at_once=1)
    limiter = make(redis, lease_seconds=0.4)
    assert admit(limiter, one, "long") == ""
    ends = time.monotonic() + 1.2
    while time.monotonic() < ends:
        limiter.renew([(one, "long")])
        assert admit(limiter, one, "other") == "concurrency_limit"
    eventually(lambda: admit(limiter, one, "other") == "")

    limiter.renew([(one, "long")])

    assert redis.zrange(f"{PREFIX}leases:triage", 0, -1) == ["other"]


def test_a_minute_sees_the_agents_rate_and_a_burst_and_no_more(limiter: Limiter) -> None:
    sixty = rules(per_minute=60)

    at_once = [admit(limiter, sixty, str(number)) for number in range(20)]

    assert at_once == [""] * 6 + ["agent_rate_limit"] * 14
    refused = limiter.admit(sixty, "late", tokens=0)
    assert isinstance(refused, Refused)
    assert 0.5 < refused.seconds <= 1.0
    assert limiter.rooms([sixty]) == {"triage": 0}
    assert eventually(lambda: admit(limiter, sixty, "next") == "")
    assert admit(limiter, sixty, "one too many") == "agent_rate_limit"


def test_repairs_count_against_the_rate(limiter: Limiter) -> None:
    rate = rules(per_minute=600)
    answer = limiter.admit(rate, "run", tokens=0)
    assert isinstance(answer, Admitted)

    limiter.release(rate, answer, Spent(calls=3))

    assert limiter.rooms([rate])["triage"] in {57, 58}


def test_an_hours_tokens_are_counted_to_the_minute_and_come_back_when_the_hour_is_over(
    limiter: Limiter, redis: Redis
) -> None:
    thousand = rules(tokens_per_hour=1000)
    seconds, _ = redis.time()
    minute = int(seconds) * 1000 // MINUTE_MS
    redis.hset(
        f"{PREFIX}tokens:triage", mapping={str(minute - 60): 900, str(minute - 58): 600, str(minute): 399}
    )

    assert admit(limiter, thousand, "last", tokens=50) == ""
    refused = limiter.admit(thousand, "next", tokens=50)

    assert isinstance(refused, Refused)
    assert refused.reason == "token_limit"
    assert 60 < refused.seconds <= 120, "when the 600 of 58 minutes ago are an hour old"


def test_what_was_reserved_is_replaced_by_what_was_used(limiter: Limiter) -> None:
    thousand = rules(tokens_per_hour=1000)
    answer = limiter.admit(thousand, "run", tokens=900)
    assert isinstance(answer, Admitted)
    limiter.release(thousand, answer, Spent(calls=1, tokens=100))

    assert admit(limiter, thousand, "second", tokens=899) == ""
    assert admit(limiter, thousand, "third", tokens=899) == ""
    assert admit(limiter, thousand, "fourth") == "token_limit"


def test_what_calls_in_the_air_may_cost_is_counted_until_they_say_what_they_cost(limiter: Limiter) -> None:
    cent = rules(nanousd_per_hour=10_000_000)
    going = [limiter.admit(cent, str(number), nanousd=4_000_000) for number in range(4)]
    assert [isinstance(answer, Admitted) for answer in going] == [True, True, True, False]
    first = going[0]
    assert isinstance(first, Admitted)

    limiter.release(cent, first, Spent(calls=1, nanousd=500_000))

    assert admit(limiter, cent, "next") == "", "8.5 of 10 are taken"


def test_dispatch_is_told_how_many_calls_a_budget_has_room_for(limiter: Limiter) -> None:
    each = Spent(tokens=300, nanousd=2_000_000)
    cent = rules(nanousd_per_hour=10_000_000, answer=each)
    thousand = rules(tokens_per_hour=1000, answer=each)
    assert limiter.rooms([cent]) == {"triage": 5}
    assert limiter.rooms([thousand]) == {"triage": 4}

    assert isinstance(limiter.admit(cent, "run", nanousd=2_000_001), Admitted)

    assert limiter.rooms([cent]) == {"triage": 4}


def test_what_a_forgetful_server_had_reserved_is_not_given_back(limiter: Limiter, redis: Redis) -> None:
    cent = rules(nanousd_per_hour=10_000_000)
    answer = limiter.admit(cent, "run", nanousd=9_000_000)
    assert isinstance(answer, Admitted)
    redis.delete(f"{PREFIX}cost:triage")

    limiter.release(cent, answer, Spent(calls=1, nanousd=1_000_000))

    assert redis.hgetall(f"{PREFIX}cost:triage") == {}


def test_an_hours_cost_is_limited(limiter: Limiter) -> None:
    cent = rules(nanousd_per_hour=10_000_000)
    for number in range(2):
        answer = limiter.admit(cent, str(number), tokens=0)
        assert isinstance(answer, Admitted)
        limiter.release(cent, answer, Spent(calls=1, tokens=10, nanousd=5_000_000))

    assert admit(limiter, cent, "third") == "cost_limit"


def test_a_refusal_uses_nothing_up(limiter: Limiter) -> None:
    both = rules(at_once=1, per_minute=600)
    assert admit(limiter, both, "a") == ""
    for number in range(100):
        assert admit(limiter, both, str(number)) == "concurrency_limit"
    limiter.release(both, Admitted("a"), Spent(calls=1))

    assert limiter.rooms([rules(per_minute=600)])["triage"] in {59, 60}


def test_a_provider_that_asks_to_slow_down_holds_that_model_up_and_no_other(limiter: Limiter) -> None:
    [lesson] = lessons_of(RateLimited(retry_after=7.0), rules())

    assert limiter.report(lesson) is not None

    refused = held(limiter, rules())
    assert refused is not None
    assert refused.reason == "provider_cooldown"
    assert 6 < refused.seconds <= 7
    assert admit(limiter, rules(), "run") == "provider_cooldown"
    assert admit(limiter, rules(model="gpt-4o-mini"), "run") == ""
    assert admit(limiter, rules(account="groq"), "run") == ""


def test_many_refusals_at_once_are_one_pause_and_later_ones_make_it_longer(limiter: Limiter) -> None:
    lesson = Lesson(*("pause", "cooldown:openai/gpt-4o"), *("provider_cooldown", 0, 500, 60_000))  # type: ignore[arg-type]
    begun = [pause for pause in (limiter.report(lesson) for _ in range(20)) if pause]
    assert [pause.until_ms for pause in begun] == [500]
    eventually(lambda: held(limiter, rules()) is None)

    longer = limiter.report(lesson)

    assert longer is not None
    assert longer.until_ms == 1_000


def test_an_answer_after_a_pause_ends_the_streak_and_one_that_began_before_does_not(limiter: Limiter) -> None:
    name = "cooldown:openai/gpt-4o"
    lesson = Lesson(*("pause", name), *("provider_cooldown", 0, 50, 60_000))  # type: ignore[arg-type]
    limiter.report(lesson)
    limiter.report(Lesson("fine", name))
    assert name in limiter.pauses().found
    eventually(lambda: held(limiter, rules()) is None)

    limiter.report(Lesson("fine", name))

    assert name not in limiter.pauses().found
    again = limiter.report(lesson)
    assert again is not None
    assert again.until_ms == 50


def test_an_account_without_credit_holds_all_its_models_up_for_a_minute_at_least(limiter: Limiter) -> None:
    for lesson in lessons_of(QuotaExhausted(), rules()):
        limiter.report(lesson)

    refused = held(limiter, rules(model="another"))

    assert refused is not None
    assert refused.reason == "provider_quota"
    assert 59 < refused.seconds <= 60


def fail(limiter: Limiter) -> bool:
    """Report a failure; true if the circuit opens with it."""
    [lesson] = lessons_of(ProviderUnavailable(), rules())
    return limiter.report(lesson) is not None


def test_a_failure_holds_nobody_up_on_a_server_whose_clock_is_behind(limiter: Limiter) -> None:
    fail(limiter)

    found = limiter.pauses().found

    assert Pauses(found, server_ms=0, monotonic=0.0).holding(rules().names, monotonic=0.0) is None


def test_a_circuit_opens_after_failures_that_nobody_objects_to_and_one_call_at_a_time_tries_it(
    limiter: Limiter, redis: Redis
) -> None:
    assert not any(fail(limiter) for _ in range(5)), "others may still be about to say that they succeed"
    assert eventually(lambda: fail(limiter))
    refused = held(limiter, rules())
    assert refused is not None
    assert refused.reason == "circuit_open"
    assert refused.seconds <= 2.0
    assert limiter.rooms([rules()]) == {"triage": 0}
    eventually(lambda: held(limiter, rules()) is None)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: admit(limiter, rules(), str(number)), range(50)))

    assert sorted(answers) == [""] + ["circuit_open"] * 49
    assert fail(limiter), "a failed probe opens it again"
    refused = held(limiter, rules())
    assert refused is not None
    assert 2.0 < refused.seconds <= 4.0


def test_a_successful_probe_closes_the_circuit(limiter: Limiter) -> None:
    eventually(lambda: fail(limiter))
    eventually(lambda: held(limiter, rules()) is None)
    assert admit(limiter, rules(), "probe") == ""

    limiter.report(Lesson("fine", rules().circuit))

    assert [admit(limiter, rules(), str(number)) for number in range(10)] == [""] * 10


def test_a_probe_that_never_ends_is_replaced(redis: Redis) -> None:
    limiter = make(redis, lease_seconds=0.3)
    eventually(lambda: fail(limiter))
    eventually(lambda: held(limiter, rules()) is None)
    assert admit(limiter, rules(), "dies") == ""
    assert admit(limiter, rules(), "waits") == "circuit_open"

    assert eventually(lambda: admit(limiter, rules(), "next") == "")


def test_a_probe_that_goes_on_is_not_replaced_and_one_that_ends_without_an_answer_is(redis: Redis) -> None:
    limiter = make(redis, lease_seconds=0.4)
    eventually(lambda: fail(limiter))
    eventually(lambda: held(limiter, rules()) is None)
    probe = limiter.admit(rules(), "probe")
    assert isinstance(probe, Admitted)
    assert probe.probes
    ends = time.monotonic() + 1.2
    while time.monotonic() < ends:
        limiter.renew([(rules(), "probe")])
        assert admit(limiter, rules(), "waits") == "circuit_open"

    limiter.release(rules(), probe, Spent())

    assert admit(limiter, rules(), "next") == ""


def test_a_model_that_fails_holds_no_other_one_of_its_provider_up(limiter: Limiter) -> None:
    eventually(lambda: fail(limiter))

    assert admit(limiter, rules(), "run") == "circuit_open"
    assert admit(limiter, rules(model="gpt-4o-mini", agent_id="other"), "run") == ""


def test_a_pause_for_a_reason_that_only_a_newer_release_knows_holds_calls_up_all_the_same(
    limiter: Limiter, redis: Redis
) -> None:
    seconds, _ = redis.time()
    redis.hset(f"{PREFIX}pauses", "cooldown:openai", f"solar_flare:{(int(seconds) + 60) * 1000}")

    assert admit(limiter, rules(), "run") == "solar_flare"
    assert limiter.refusals([rules()])["triage"].reason == "solar_flare"
    refused = held(limiter, rules())
    assert refused is not None
    assert refused.reason == "solar_flare"


def test_successes_in_between_keep_the_circuit_closed(limiter: Limiter) -> None:
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        assert not fail(limiter)
        limiter.report(Lesson("fine", rules().circuit))


def test_an_agent_that_fails_too_often_is_quarantined_for_a_while_and_others_are_not(
    limiter: Limiter,
) -> None:
    budget = Budget(failures=3, window_seconds=60, quarantine_seconds=0.3)
    begun = [limiter.count_failure(rules(), budget) for _ in range(4)]

    assert [pause is not None for pause in begun] == [False, False, True, False]
    assert admit(limiter, rules(), "run") == "quarantined"
    assert admit(limiter, rules(agent_id="other"), "run") == ""
    assert eventually(lambda: admit(limiter, rules(), "run") == "")


def test_an_operator_can_end_a_pause(limiter: Limiter) -> None:
    for lesson in lessons_of(QuotaExhausted(), rules()):
        limiter.report(lesson)

    assert limiter.lift("cooldown:openai")
    assert not limiter.lift("cooldown:openai")
    assert held(limiter, rules()) is None


def test_a_server_that_is_away_is_said_to_be(redis: Redis) -> None:
    limiter = make(connect("redis://127.0.0.1:1/0"))
    for ask in (
        lambda: limiter.admit(rules(at_once=1), "run", tokens=0),
        limiter.pauses,
        lambda: limiter.rooms([rules()]),
        lambda: limiter.report(Lesson("fine", "circuit:openai/gpt-4o")),
    ):
        with pytest.raises(LimiterUnavailable):
            ask()
