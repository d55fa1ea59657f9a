"""Where a stream begins, so that no agent misses an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Timestamp

from agents_app.registry import ActiveAgent
from agents_app.spec import parse_spec
from executions_app.identity import pack_time
from watcher.matching.matcher import ENABLING_SLACK_SECONDS
from watcher.reading.position import Position
from watcher.reading.starting import (
    Reach,
    coverage_of,
    later_start,
    losers,
    needed_by,
    start_point,
)
from watcher.reading.stream import StartPoint

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


TOO_OLD = StartPoint(time=before(OLD))


def test_a_token_whose_history_is_lost_falls_back_to_its_time() -> None:
    position = reached(LATER, agent())
    reach = Reach(oldest=at(NOW), now=at(NOW))

    assert later_start(StartPoint(token="82AA"), position, reach, is_certain=False) == StartPoint(
        time=at(LATER)
    )


def test_after_lost_history_the_stream_begins_at_the_earliest_time_that_there_still_is() -> None:
    position = reached(LATER, agent())

    def after(oldest: datetime | None) -> StartPoint | None:
        reach = Reach(None if oldest is None else at(oldest), at(NOW))
        return later_start(TOO_OLD, position, reach, is_certain=False)

    assert after(OLD) == StartPoint(time=at(OLD)), "the oplog's first entry, before the position"
    assert after(LATER + timedelta(minutes=1)) == StartPoint(time=at(LATER)), "what is refused is tried again"
    assert after(None) == StartPoint(time=at(LATER)), "no oplog to be seen behind a mongos"


def test_where_even_the_position_is_lost_the_oplogs_first_entry_is_next_and_then_now() -> None:
    position = reached(OLD, agent())
    lost = StartPoint(time=at(OLD))

    assert later_start(lost, position, Reach(at(LATER), at(NOW)), is_certain=False) == StartPoint(
        time=at(LATER)
    )
    assert later_start(lost, position, Reach(None, at(NOW)), is_certain=False) == StartPoint(time=at(NOW))
    assert later_start(StartPoint(time=at(NOW)), position, Reach(None, at(NOW)), is_certain=True) is None


def test_a_server_whose_oplog_shows_that_nothing_is_lost_is_believed_only_when_it_insists() -> None:
    lost = StartPoint(time=at(LATER))
    reach = Reach(oldest=at(OLD), now=at(NOW))

    assert later_start(lost, reached(LATER, agent()), reach, is_certain=False) is None
    assert later_start(lost, reached(LATER, agent()), reach, is_certain=True) == StartPoint(time=at(NOW))


def test_only_an_agent_that_needed_more_than_the_start_loses_and_from_what_it_had_seen() -> None:
    covered, newcomer = agent("a"), agent("b")
    position = reached(LATER, covered)

    assert losers(position, [covered, newcomer], at(LATER)) == [(newcomer, before(OLD))]
    assert losers(position, [covered, newcomer], at(NOW)) == [(covered, at(LATER)), (newcomer, before(OLD))]
    assert losers(position, [covered], before(OLD)) == []


def test_an_agent_that_a_gap_held_goes_on_at_the_end_of_its_gap() -> None:
    held = Position("82AA", at(NOW), "p", coverage_of([agent()], {"a": pack_time(at(LATER))}))

    assert needed_by(agent(), held) == at(LATER)
    assert start_point(held, [agent()], "p") == StartPoint(time=at(LATER))
    assert needed_by(agent(enabled=NOW), held) == before(NOW), "switched off and on again"


def test_an_agent_that_was_enabled_anew_while_it_was_held_needs_nothing_from_before() -> None:
    again = agent(enabled=NOW)
    held = Position("82AA", at(NOW), "p", coverage_of([again], {"a": pack_time(at(OLD))}))

    assert needed_by(again, held) == before(NOW)


def test_an_agent_that_two_gaps_hold_goes_on_at_the_end_of_the_first_whichever_is_closed_first() -> None:
    first = coverage_of([agent()], {"a": pack_time(at(OLD))})

    second = coverage_of([agent()], {"a": pack_time(at(LATER))}, first)

    assert needed_by(agent(), Position(None, at(NOW), "", second)) == at(OLD)
    assert coverage_of([agent()], {}, first) == coverage_of([agent()]), "let go"


@pytest.mark.parametrize(
    "change", [{"filter": {"text": "x"}}, {"fields": ["text"]}, {"operations": ["delete"]}], ids=str
)
def test_a_version_that_matches_other_events_needs_the_stream_since_it_became_current(
    change: dict[str, Any],
) -> None:
    changed = agent(published=LATER, **change)

    assert needed_by(changed, reached(NOW, agent())) == before(LATER)


def test_a_position_that_an_operator_has_set_covers_whoever_was_enabled_by_then() -> None:
    placed = Position(None, at(NOW), "", {"*": LATER.isoformat()})

    assert needed_by(agent(enabled=OLD), placed) == at(NOW)
    assert needed_by(agent(enabled=NOW), placed) == before(NOW)


def test_a_position_without_a_token_goes_on_at_its_time() -> None:
    position = Position(None, at(LATER), "p", coverage_of([agent()]))

    assert start_point(position, [agent()], "p") == StartPoint(time=at(LATER))
