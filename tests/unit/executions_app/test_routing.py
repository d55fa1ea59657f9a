from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executions_app.routing import (
    NAMED_QUEUES_AT_MOST,
    Home,
    Outbound,
    Plan,
    plan_for,
    queue_of,
    queues_of,
)
from mongoclaw_project.config import RoutingStrategy

ROW = Outbound("a1" * 16, "support-triage", "shop", "tickets", "b2" * 16, 0)
NAMES = st.text(min_size=1, max_size=10) | st.sampled_from(["tickets", "a,b", "x" * 200, "ä" * 100])
HOMES = st.builds(Home, NAMES, NAMES, NAMES)


@pytest.mark.parametrize(
    ("strategy", "queue"),
    [
        (RoutingStrategy.SINGLE, "mongoclaw"),
        (RoutingStrategy.BY_AGENT, "mongoclaw.agent.support-triage"),
        (RoutingStrategy.BY_COLLECTION, "mongoclaw.collection.shop.tickets"),
        (RoutingStrategy.BY_PRIORITY, "mongoclaw.priority.normal"),
        (RoutingStrategy.PARTITIONED, "mongoclaw.partition.0"),
    ],
)
def test_a_queue_has_a_name_that_says_what_is_in_it(strategy: RoutingStrategy, queue: str) -> None:
    assert queue_of(ROW, Plan(strategy, partitions=8)) == queue


@pytest.mark.parametrize(
    ("priority", "level"), [(10, "high"), (5, "high"), (4, "normal"), (0, "normal"), (-1, "low")]
)
def test_five_is_high_and_a_backfill_is_low(priority: int, level: str) -> None:
    row = ROW._replace(priority=priority)
    assert queue_of(row, Plan(RoutingStrategy.BY_PRIORITY)) == f"mongoclaw.priority.{level}"


def homes(count: int) -> list[Home]:
    return [Home(f"agent-{number}", "shop", f"c{number}") for number in range(count)]


@pytest.mark.parametrize("strategy", [RoutingStrategy.BY_AGENT, RoutingStrategy.BY_COLLECTION])
def test_up_to_the_limit_each_has_a_queue_and_beyond_it_all_share_partitions(
    strategy: RoutingStrategy,
) -> None:
    most = homes(NAMED_QUEUES_AT_MOST)
    assert len(queues_of(plan_for(strategy, 8, most), most)) == NAMED_QUEUES_AT_MOST

    thousand = homes(1000)
    crowded = queues_of(plan_for(strategy, 8, thousand), thousand)
    assert crowded == {f"mongoclaw.partition.{number}" for number in range(8)}


def test_many_agents_of_one_collection_are_one_name() -> None:
    same = [Home(f"agent-{number}", "shop", "tickets") for number in range(1000)]
    plan = plan_for(RoutingStrategy.BY_COLLECTION, 8, same)
    assert queues_of(plan, same) == {"mongoclaw.collection.shop.tickets"}


def test_an_agent_keeps_to_one_partition_and_documents_spread_over_all() -> None:
    crowded = plan_for(RoutingStrategy.BY_AGENT, 8, homes(1000))
    rows = [ROW._replace(subject=f"{number:032x}") for number in range(4000)]
    assert len({queue_of(row, crowded) for row in rows}) == 1

    spread = Counter(queue_of(row, Plan(RoutingStrategy.PARTITIONED, 8)) for row in rows)
    assert len(spread) == 8
    assert max(spread.values()) < 1.2 * min(spread.values())


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from(RoutingStrategy),
    partitions=st.integers(1, 256),
    at_work=st.lists(HOMES, min_size=1, max_size=8),
    others=st.sampled_from([0, 10, NAMED_QUEUES_AT_MOST, 1000]),
    subject=st.text(),
    priority=st.integers(-10, 10),
)
def test_whatever_a_row_goes_into_is_consumed_and_has_a_name_that_brokers_take(
    strategy: RoutingStrategy,
    partitions: int,
    at_work: list[Home],
    others: int,
    subject: str,
    priority: int,
) -> None:
    at_work = [*at_work, *homes(others)]
    plan = plan_for(strategy, partitions, at_work)
    queues = queues_of(plan, at_work)
    for home in at_work:
        assert queue_of(Outbound("a1" * 16, *home, subject, priority), plan) in queues
    if strategy is not RoutingStrategy.BY_AGENT:  # ids of agents are plain
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", queue) for queue in queues)


def test_collections_whose_names_have_no_plain_letters_stay_apart() -> None:
    plan = Plan(RoutingStrategy.BY_COLLECTION)
    odd = [Home("a", "shop", name) for name in ("a,b", "a b", "a-b", "Ä", "x" * 200, "x" * 201)]
    assert len(queues_of(plan, odd)) == len(odd)
    assert "mongoclaw.collection.shop.a-b" in queues_of(plan, odd)
