"""What operators see of runs that ended, and of those that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents_app.errors import AgentNotFound
from executions_app import ledger, live, stats, transitions
from executions_app.models import Execution
from executions_app.moment import MomentInvalid
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from executions_app.stats import By, SpanInvalid
from executions_app.stats_shapes import Statistics
from executions_app.stats_wire import tally_json
from tests.counting import count_all
from tests.integration.executions_app.conftest import NOW, MakeEvent
from tests.people import signed_in

ROOM = {"triage": 10_000}
WRITTEN = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)
FAILED = Settlement(status=Status.FAILED, reason="provider_auth", error_type="provider_auth")
URL = "/api/v1/stats"


def ran(make_event: MakeEvent, key: object, end: Settlement, *, now: datetime, took: float) -> None:
    (id_,) = ledger.record([make_event(key)], room=ROOM, now=now)
    run = transitions.claim(id_, worker="w1", now=now)
    assert run is not None
    transitions.settle(run, end, now=now + timedelta(seconds=took))


def count(now: datetime) -> None:
    count_all(now=now)


def test_hours_and_agents_add_up_to_the_same_percentiles(make_event: MakeEvent) -> None:
    for number in range(100):
        hour = timedelta(hours=number % 3)
        ran(make_event, number, WRITTEN, now=NOW + hour, took=1 if number < 90 else 30)
    ran(make_event, "broken", FAILED, now=NOW, took=1)
    count(NOW + timedelta(hours=4))

    by_hour = stats.gather(since=NOW, by=By.HOUR)
    total = tally_json(by_hour.total)

    assert list(by_hour.parts) == [f"2026-11-20T{hour}:00Z" for hour in (12, 13, 14)]
    assert (total["runs"], total["completed"], total["failed"]) == (101, 100, 1)
    assert total["latency_ms"]["p50"] == pytest.approx(1_000, rel=0.42)
    assert total["latency_ms"]["p95"] == pytest.approx(30_000, rel=0.42)
    assert total["within_slo"] == 0.9
    assert total["failures"] == [{"reason": "provider_auth", "runs": 1}]
    assert tally_json(stats.gather(since=NOW).parts["triage"]) == total
    assert stats.gather(since=NOW + timedelta(hours=2)).total.ends.total() == 33


def test_an_agent_that_never_was_is_an_error_and_no_empty_list(make_event: MakeEvent) -> None:
    with pytest.raises(AgentNotFound):
        stats.gather(since=NOW, agent_id="triaeg")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("24h", 24),
        ("-24h", 24),
        ("90m", 2),
        ("1d30m", 25),
        ("7d", 168),
        ("2026-11-20T11:30:00Z", 1),
        ("2026-11-20", 12),
    ],
)
def test_a_span_begins_with_the_hour_in_which_it_lies(text: str, hours: int) -> None:
    assert stats.beginning(text, now=NOW) == NOW - timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "yesterday", "24", "9999d", "2027-01-01", "--3h", "999999999999d"])
def test_what_is_no_span_is_refused_in_words(text: str) -> None:
    with pytest.raises((MomentInvalid, SpanInvalid)):
        stats.beginning(text, now=NOW)


def test_the_queue_is_seen_as_it_stands(make_event: MakeEvent) -> None:
    ledger.record([make_event("old")], room={}, now=NOW - timedelta(seconds=90))
    ledger.record([make_event("newer", priority=5)], room={}, now=NOW)
    ledger.record([make_event("not due")], room={}, now=NOW)
    Execution.objects.filter(document_id="not due").update(due_at=NOW + timedelta(hours=1))
    (id_,) = ledger.record([make_event("at work")], room=ROOM, now=NOW - timedelta(seconds=40))
    transitions.claim(id_, worker="w1", now=NOW)

    seen = live.look(NOW)

    waiting = seen.agents["triage"]
    assert (waiting.due, waiting.at_least, waiting.age_ms) == (2, False, 90_000)
    assert waiting.oldest == NOW - timedelta(seconds=90)
    assert seen.queue_age_p95_ms == 40_000
    assert live.look(NOW, agent_id="other") == live.Live({}, None)


def test_rows_whose_time_has_not_come_are_a_count_of_their_own(make_event: MakeEvent) -> None:
    ledger.record([make_event(key, priority=key % 2) for key in range(4)], room={}, now=NOW)
    for key in (1, 2, 3):
        at = NOW + timedelta(minutes=key)
        Execution.objects.filter(document_id=str(key)).update(due_at=at, reason=Reason.PROVIDER_COOLDOWN)

    assert live.put_off(NOW) == {
        "triage": live.PutOff(3, at_least=False, next_due=NOW + timedelta(minutes=1))
    }
    assert live.put_off(NOW + timedelta(hours=1)) == {}
    assert live.put_off(NOW, agent_id="other") == {}


def test_a_long_backlog_is_not_counted_to_its_end(make_event: MakeEvent) -> None:
    ledger.record([make_event(number) for number in range(9)], room={}, now=NOW)

    waiting = live.look(NOW, most=3).agents["triage"]

    assert (waiting.due, waiting.at_least) == (3, True)


def test_the_api_gives_the_figures_to_those_who_may_see_them(make_event: MakeEvent) -> None:
    now = datetime.now(UTC)
    ran(make_event, "one", WRITTEN, now=now - timedelta(minutes=5), took=2)
    count(now)
    api = signed_in("alice", "view_hourtally")

    found: Any = api.get(URL, {"since": "2h", "by": "hour"}).json()

    assert found["total"]["completed"] == 1
    assert [hour["completed"] for hour in found["hours"]] == [1]
    assert found["live"] == {"queue_age_p95_ms": None, "agents": [], "put_off": []}
    by_agent = api.get(URL).json()
    assert by_agent["agents"][0]["agent"] == "triage"
    for answer in (found, by_agent):
        Statistics.model_validate(answer)


def test_the_api_tells_reasons_apart_as_the_command_does(make_event: MakeEvent) -> None:
    now = datetime.now(UTC)
    ran(make_event, "one", FAILED, now=now - timedelta(minutes=5), took=2)
    count(now)

    found: Any = signed_in("alice", "view_hourtally").get(URL, {"by": "reason", "since": "-2h"}).json()

    assert found["reasons"] == [{"reason": "provider_auth", "end": "failed", "runs": 1}]
    assert found["total"]["failed"] == 1
    Statistics.model_validate(found)


def test_the_api_names_the_parameter_that_is_wrong(make_event: MakeEvent) -> None:
    api = signed_in("alice", "view_hourtally")

    assert "since" in api.get(URL, {"since": "yesterday"}).content.decode()
    assert "must be one of: agent, hour, reason" in api.get(URL, {"by": "week"}).content.decode()
    assert api.get(URL, {"agent_id": "nobody"}).status_code == 404


def test_the_api_refuses_who_has_no_permission(make_event: MakeEvent) -> None:
    assert signed_in("alice").get(URL).status_code == 403


def test_the_admin_shows_a_line_per_hour_and_agent_to_those_who_may_see_them(make_event: MakeEvent) -> None:
    ran(make_event, "one", WRITTEN, now=NOW, took=2)
    ran(make_event, "two", FAILED, now=NOW, took=2)
    count(NOW + timedelta(hours=1))
    admin = signed_in("alice", "view_hourtally")
    page = "/admin/executions_app/hourtally/"

    shown = admin.get(page, {"agent": "triage"}).content.decode()

    assert "provider_auth: 1" in shown
    assert "100.0%" in shown
    assert "provider_auth: 1" not in admin.get(page, {"agent": "other"}).content.decode()
    assert admin.get(f"{page}add/").status_code == 403


def test_the_admin_refuses_the_figures_to_who_has_no_permission(make_event: MakeEvent) -> None:
    admin = signed_in("alice", "view_execution")

    assert admin.get("/admin/executions_app/hourtally/").status_code == 403
