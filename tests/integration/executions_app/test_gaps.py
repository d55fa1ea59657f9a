"""Gaps on record: found, decided about, closed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents_app import publish
from agents_app.models import Agent
from agents_app.spec import HistoryPolicy, parse_spec
from executions_app import backfill_transitions, gaps
from executions_app.gaps import GapNotBackfillable, GapNotFound, GapNotOpen, NewGap
from executions_app.models import Backfill, BackfillStatus, GapKind, GapStatus, StreamGap

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def make_agent() -> Callable[..., Agent]:
    """Publish an agent; keywords change its `watch`."""

    def make(agent_id: str = "triage", **watch: Any) -> Agent:
        elsewhere = {"target_collection": "log"} if watch.get("operations") == ["delete"] else {}
        spec = {
            "id": agent_id,
            "name": agent_id,
            "watch": {"database": "shop", "collection": "tickets", **watch},
            "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort {{ document.text }}"},
            "write": {"target_field": "ai", **elsewhere},
        }
        publish.publish(parse_spec(spec), by="test", now=NOW)
        return Agent.objects.get(pk=agent_id)

    return make


def gap_of(agent_id: str = "triage", policy: HistoryPolicy = HistoryPolicy.FAIL, **changes: Any) -> NewGap:
    gap = NewGap(
        agent_id=agent_id,
        database="shop",
        collection="tickets",
        kind=GapKind.HISTORY_LOST,
        since="6789abcd00000001",
        until="6789abff00000001",
        policy=policy,
        code=286,
        detail="the oplog no longer holds it",
    )
    return replace(gap, **changes)


def health(agent_id: str = "triage") -> str:
    return Agent.objects.get(pk=agent_id).health


@pytest.fixture
def held(make_agent: Callable[..., Agent]) -> StreamGap:
    """A gap that holds its agent."""
    make_agent()
    return gaps.record(gap_of(), now=NOW)


def test_a_gap_found_again_is_the_same_gap(held: StreamGap) -> None:
    again = gaps.record(gap_of(until="7777777700000001"), now=LATER)
    assert (again.id, again.until, again.detected_at) == (held.id, held.until, NOW)
    assert StreamGap.objects.count() == 1


def test_a_gap_whose_policy_is_fail_holds_its_agent_until_it_is_closed(held: StreamGap) -> None:
    assert gaps.held_since() == {"triage": held.until}
    assert health() == "unhealthy"
    gaps.close(held.id, by="ann", resolution="nothing was in it", now=LATER)
    assert gaps.held_since() == {}
    assert health() == "unknown"


def test_closing_one_of_two_gaps_does_not_let_the_agent_go(held: StreamGap) -> None:
    other = gaps.record(gap_of(since="6789ac0000000001", until="6789ad0000000001"), now=NOW)
    gaps.close(other.id, by="ann", resolution="skip", now=LATER)
    assert gaps.held_since() == {"triage": held.until}
    assert health() == "unhealthy"


def test_a_gap_is_closed_once(held: StreamGap) -> None:
    closed = gaps.close(held.id, by="ann", resolution="skip", now=LATER)
    assert (closed.status, closed.closed_by, closed.closed_at) == (GapStatus.CLOSED, "ann", LATER)
    with pytest.raises(GapNotOpen):
        gaps.close(held.id, by="bob", resolution="skip", now=LATER)
    with pytest.raises(GapNotOpen):
        gaps.settle_by_backfill(held.id, by="bob", now=LATER)
    with pytest.raises(GapNotOpen):
        gaps.close("f" * 32, by="bob", resolution="skip", now=LATER)


def test_a_backfill_lets_the_agent_go_at_once_and_closes_the_gap_in_the_end(held: StreamGap) -> None:
    settled = gaps.settle_by_backfill(held.id, by="ann", now=LATER)
    assert settled.status == GapStatus.BACKFILLING
    assert gaps.held_since() == {}
    assert health() == "unknown"
    backfill = Backfill.objects.get()
    assert settled.backfill_id == backfill.id
    assert gaps.waiting_for(backfill.id) == [held.id]
    Backfill.objects.update(status=BackfillStatus.RUNNING)
    backfill_transitions.complete(backfill.id, now=LATER)
    assert StreamGap.objects.get().status == GapStatus.CLOSED
    assert gaps.waiting_for(backfill.id) == []


def test_a_cancelled_backfill_opens_the_gap_again_and_holds_nobody(held: StreamGap) -> None:
    backfill = gaps.settle_by_backfill(held.id, by="ann", now=LATER).backfill
    assert backfill is not None
    backfill_transitions.cancel(backfill.id, by="ann", now=LATER)
    reopened = StreamGap.objects.get()
    assert (reopened.status, reopened.backfill_id) == (GapStatus.OPEN, None)
    assert gaps.held_since() == {}


def test_two_gaps_of_an_agent_share_the_backfill_that_has_not_begun(held: StreamGap) -> None:
    gaps.settle_by_backfill(held.id, by="ann", now=LATER)
    second = gaps.record(gap_of(since="6789ac0000000001", policy=HistoryPolicy.BACKFILL), now=LATER)
    assert second.status == GapStatus.BACKFILLING
    backfill = Backfill.objects.get()
    assert sorted(gaps.waiting_for(backfill.id)) == sorted([held.id, second.id])


def test_an_agent_that_watches_deletes_only_cannot_be_backfilled(make_agent: Callable[..., Agent]) -> None:
    make_agent("graves", operations=["delete"])
    gap = gaps.record(gap_of("graves"), now=NOW)
    with pytest.raises(GapNotBackfillable):
        gaps.settle_by_backfill(gap.id, by="ann", now=LATER)
    assert gaps.held_since() == {"graves": gap.until}
    assert not Backfill.objects.exists()


def test_a_gap_that_is_skipped_warns_and_holds_nobody(make_agent: Callable[..., Agent]) -> None:
    make_agent()
    gap = gaps.record(gap_of(policy=HistoryPolicy.SKIP), now=NOW)
    assert gap.status == GapStatus.OPEN
    assert gaps.held_since() == {}
    assert [row.id for row in gaps.unsettled()] == [gap.id]


def test_gaps_are_found_by_the_beginning_of_their_id(held: StreamGap) -> None:
    assert gaps.find(held.id[:6]).id == held.id
    for text in ("zz", held.id[:3], "zzzzzz"):
        with pytest.raises(GapNotFound):
            gaps.find(text)


def test_closed_gaps_are_listed_on_request_only(held: StreamGap) -> None:
    gaps.close(held.id, by="ann", resolution="skip", now=LATER)
    assert not gaps.listed().exists()
    assert [row.id for row in gaps.listed(closed=True, database="shop", agent_id="triage")] == [held.id]
    assert not gaps.listed(closed=True, database="other").exists()
