"""Where a stream begins, so that no agent misses an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Timestamp

from agents_app.registry import ActiveAgent
from agents_app.spec import parse_spec
from watcher.matching import ENABLING_SLACK_SECONDS
from watcher.position import Position
from watcher.starting import coverage_of, losers, other_starts, start_point
from watcher.stream import StartPoint

OLD = datetime(2026, 11, 1, tzinfo=UTC)
LATER = OLD + timedelta(hours=1)
NOW = OLD + timedelta(hours=2)


def agent(
    agent_id: str = "a", *, enabled: datetime = OLD, published: datetime = OLD, **watch: Any
) -> ActiveAgent:
    spec = {
        "id": agent_id,
        "name": agent_id,
        "watch": {"database": "shop", "collection": "tickets", **watch},
        "ai": {"provider": "sandbox", "model": "m", "prompt": "{{ document.text }}"},
        "write": {"target_field": "ai"},
    }
    return ActiveAgent(
        agent_id=agent_id,
        version_id=1,
        spec=parse_spec(spec).spec,
        enabled_at=enabled,
        current_since=published,
    )


def at(wall: datetime) -> Timestamp:
    return Timestamp(int(wall.timestamp()), 1)


def reached(wall: datetime, *agents: ActiveAgent, pipeline: str = "p") -> Position:
    return Position("82AA", at(wall), pipeline, coverage_of(agents))


def before(wall: datetime) -> Timestamp:
    return at(wall - timedelta(seconds=ENABLING_SLACK_SECONDS))


def test_the_first_start_is_at_the_enabling_of_the_first_agent() -> None:
    agents = [agent("a", enabled=LATER), agent("b", enabled=OLD)]

    assert start_point(None, agents, "p") == StartPoint(time=before(OLD))


def test_an_unchanged_stream_goes_on_behind_its_token() -> None:
    assert start_point(reached(LATER, agent()), [agent()], "p") == StartPoint(token="82AA")


def test_another_pipeline_goes_on_at_the_time_because_the_token_is_not_its_own() -> None:
    assert start_point(reached(LATER, agent()), [agent()], "q") == StartPoint(time=at(LATER))


def test_an_agent_that_the_position_does_not_cover_gets_the_stream_from_its_enabling_on() -> None:
    newcomer = agent("b", enabled=LATER)

    start = start_point(reached(NOW, agent()), [agent(), newcomer], "q")

    assert start == StartPoint(time=before(LATER))


def test_an_agent_enabled_after_the_position_costs_the_others_nothing() -> None:
    newcomer = agent("b", enabled=NOW)

    start = start_point(reached(LATER, agent()), [agent(), newcomer], "q")

    assert start == StartPoint(time=at(LATER))


def test_an_agent_that_was_switched_off_and_on_again_does_not_replay_its_pause() -> None:
    again = agent(enabled=NOW)

    assert start_point(reached(LATER, agent()), [again], "p") == StartPoint(time=before(NOW))


def test_a_version_that_watches_something_else_needs_the_stream_since_it_became_current() -> None:
    moved = agent(collection="others", published=LATER)

    assert start_point(reached(NOW, agent()), [moved], "q") == StartPoint(time=before(LATER))


def test_a_new_prompt_alone_does_not_move_the_stream() -> None:
    reworded = agent(published=NOW)

    assert start_point(reached(LATER, agent()), [reworded], "p") == StartPoint(token="82AA")


def test_a_start_that_is_refused_falls_back_to_the_token_then_to_the_time_and_only_then_to_now() -> None:
    position = reached(LATER, agent())
    refused = StartPoint(time=before(OLD))

    starts = other_starts(refused, position, "p")

    assert starts == (StartPoint(token="82AA"), StartPoint(time=at(LATER)), StartPoint())
    assert other_starts(StartPoint(token="82AA"), position, "p") == starts[1:]
    assert other_starts(refused, position, "q") == starts[1:]
    assert other_starts(refused, None, "p") == (StartPoint(),)


def test_only_an_agent_that_needed_more_than_the_position_loses_by_starting_there() -> None:
    covered, newcomer = agent("a"), agent("b")
    position = reached(LATER, covered)

    assert losers(position, [covered, newcomer], StartPoint(time=at(LATER))) == [newcomer]
    assert losers(position, [covered, newcomer], StartPoint()) == [covered, newcomer]
