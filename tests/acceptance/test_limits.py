"""Limits of the whole fleet, looked at from the model server: how many calls at a time, how many in how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.acceptance.conftest import Document, Fleet

UNFINISHED = (
    "SELECT count(*) FROM executions_app_execution "
    "WHERE agent_id = '{agent}' AND status NOT IN ('completed', 'skipped', 'failed')"
)


def calls(fleet: Fleet, word: str) -> list[Document]:
    """The model server's own record of the calls whose prompt has a word, in the order of their beginning."""
    found = [call for call in fleet.model.log() if word in call["prompt"]]
    return sorted(found, key=lambda call: call["started"])


def most_at_once(found: Iterable[Document]) -> int:
    """How many calls went on at the same time."""
    moments = sorted(moment for call in found for moment in ((call["started"], 1), (call["ended"], -1)))
    going = most = 0
    for _, step in moments:
        going += step
        most = max(most, going)
    return most


def most_within(found: Sequence[Document], seconds: float) -> int:
    """How many calls began within some stretch of so many seconds."""
    starts: list[float] = [call["started"] for call in found]
    counts: list[int] = [sum(first <= start <= first + seconds for start in starts) for first in starts]
    return max(counts)


def publish_pair(fleet: Fleet, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Publish an agent on tickets and one on letters, with what they are to keep to."""
    fleet.publish(id="tickets", execution={**first, "retry_delay_seconds": 0.2})
    fleet.publish(
        id="letters",
        watch={"database": fleet.db.name, "collection": "letters"},
        ai={"model": "sandbox-2", "prompt": "Sort this letter: {{ document.text }}"},
        execution={**second, "retry_delay_seconds": 0.2},
    )


def insert_letters(fleet: Fleet, count: int) -> None:
    fleet.db.letters.insert_many([{"text": f"Dear all, number {number}"} for number in range(count)])


def answered_letters(fleet: Fleet) -> int:
    return fleet.db.letters.count_documents({"ai.category": {"$exists": True}})


def test_never_more_than_three_calls_of_an_agent_at_a_time_on_two_workers(fleet: Fleet) -> None:
    publish_pair(fleet, {"max_concurrency": 3}, {"max_concurrency": 3})
    fleet.model.set_latency("100")
    fleet.start_watcher()
    fleet.start_worker("one", threads=16)
    fleet.start_worker("two", threads=16)

    fleet.insert(40)
    insert_letters(fleet, 40)
    fleet.wait_for(lambda: fleet.enriched() == 40 and answered_letters(fleet) == 40)

    assert most_at_once(calls(fleet, "ticket")) == 3
    assert most_at_once(calls(fleet, "letter")) == 3
    assert fleet.model.calls()["total"] == 80


def test_no_stretch_of_time_sees_more_calls_than_the_rate_and_a_burst(fleet: Fleet) -> None:
    fleet.publish(execution={"rate_limit_requests": 300})
    fleet.start_watcher()
    fleet.start_worker("one", threads=16)
    fleet.start_worker("two", threads=16)

    fleet.insert(60)
    fleet.wait_for(lambda: fleet.enriched() == 60)

    found = calls(fleet, "ticket")
    burst, each_second = 30, 5
    assert len(found) == 60
    for seconds in (0.5, 1, 2, 4):
        # One more: the first and the last call of a stretch may both begin at its edges.
        assert most_within(found, seconds) <= burst + each_second * seconds + 1


def test_a_model_that_answers_only_429_burns_nothing_blocks_no_worker_and_is_caught_up_with(
    fleet: Fleet,
) -> None:
    publish_pair(fleet, {"max_retries": 0}, {"max_retries": 0})
    fleet.model.script("rate_limit", contains="ticket", retry_after=1)
    fleet.start_watcher()
    fleet.start_worker(threads=4)
    fleet.insert(100)
    fleet.wait_for(lambda: len(calls(fleet, "ticket")) >= 8)

    insert_letters(fleet, 40)
    fleet.wait_for(lambda: answered_letters(fleet) == 40)

    assert fleet.enriched() == 0
    assert fleet.count("SELECT sum(attempts) FROM executions_app_execution") == 0
    assert not fleet.rows("SELECT 1 FROM executions_app_execution WHERE status = 'failed'")
    in_vain = calls(fleet, "ticket")
    assert len(in_vain) < 100, "a hundred rows do not ask a hundred times"

    fleet.model.reset()
    fleet.wait_for(lambda: fleet.enriched() == 100)


def test_a_quiet_agents_documents_do_not_wait_for_another_ones_backlog(fleet: Fleet) -> None:
    publish_pair(fleet, {}, {})
    fleet.model.set_latency("50")
    fleet.start_watcher()
    fleet.start_worker(threads=8)
    fleet.insert(1000)
    fleet.wait_for(lambda: fleet.enriched() >= 20)

    insert_letters(fleet, 20)
    fleet.wait_for(lambda: answered_letters(fleet) == 20)

    left = fleet.count(UNFINISHED.format(agent="tickets"))
    assert left > 500, (
        "the others had to wait for at most half of the backlog; in turn it would have been all"
    )


def test_a_dead_workers_places_are_free_again_soon(fleet: Fleet) -> None:
    fleet.publish(execution={"max_concurrency": 2})
    fleet.model.script("hang", times=2)
    fleet.start_watcher()
    fleet.start_worker("doomed", threads=8)
    fleet.insert(10)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 2)

    fleet.kill("doomed")
    fleet.start_worker("heir", threads=8)

    fleet.wait_for(lambda: fleet.enriched() == 10)
