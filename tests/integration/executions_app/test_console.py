"""The console's page and panels: who may see what, and what is left when a server is away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from agents_app.models import Agent
from agents_app.publish import publish
from agents_app.spec import parse_spec
from executions_app import holds as dispatching
from executions_app import ledger, queries, transitions
from executions_app.console import holds, panels, processes, viewer
from executions_app.console.minutes import MEMORY
from executions_app.console.outlook import Outlook, Server, Stream, Watcher
from executions_app.console.shared import forget_all
from executions_app.limits import Lesson, Limiter
from executions_app.limits.limiter import connect
from executions_app.models import Attempt, WorkerProcess
from executions_app.run import Settlement
from executions_app.states import Reason, Status
from mongoclaw_project.config import load_settings
from tests.counting import count_all
from tests.integration.executions_app.conftest import MakeEvent
from tests.integration.executions_app.letters import dead_run, stray
from tests.integration.executions_app.watchers_of_the_console import PANELS, VIEW, panel, person

PAGE = reverse("console:page")
SCRIPT = "<script>alert(1)</script>"


def seen() -> Outlook:
    return Outlook(
        servers=(Server("MongoDB", 1.2), Server("Redis", None, "cannot be reached")),
        streams=(
            Stream(name="shop", state="live", lag=0.4, watcher="box:7", trouble=None),
            Stream(name="pim", state="unwatched", lag=90.0, watcher="", trouble="no watcher reads it"),
        ),
        watchers=(Watcher(id="w1", place="box:7", roles=("stream", "dispatch"), dispatches=True),),
        web="box:1",
    )


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[None]:
    """The servers' state is the test's, and so is the limiter's Redis."""
    loaded = load_settings({"MONGOCLAW_REDIS__URL": redis_url})
    monkeypatch.setattr(holds, "current", lambda: loaded)
    monkeypatch.setattr(processes, "outlook", seen)
    MEMORY.forget()
    forget_all()
    holds._limiter.cache_clear()
    yield
    holds._limiter.cache_clear()
    MEMORY.forget()
    forget_all()


@pytest.fixture
def vera(agent: Agent) -> Client:
    """Somebody who may see everything and do nothing."""
    return person("vera", *VIEW)


def completed(make_event: MakeEvent, key: object, *, took: float = 0.5, answer: object = None) -> str:
    """Put a run on record that ended just now."""
    now = datetime.now(UTC)
    [id_] = ledger.record([make_event(key)], room={"triage": 100}, now=now - timedelta(seconds=took))
    run = transitions.claim(id_, worker="w", now=now - timedelta(seconds=took))
    assert run is not None
    Attempt.objects.create(
        execution_id=id_, claim=1, number=1, input_hash="x", started_at=now, latency_ms=340, provider="sandbox",
        model="sandbox-1", prompt=f"Sort: {key}", reply="{}", answer=answer or {"topic": "refund"}, outcome="valid",
        prompt_tokens=90, completion_tokens=10, cost_nanousd=4_200_000,
    )  # fmt: skip
    end = Settlement(status=Status.COMPLETED, reason=Reason.WRITTEN, written=True)
    transitions.settle(run, end, now=now)
    return id_


def test_a_stranger_is_led_to_the_login_and_gets_no_panel(agent: Agent) -> None:
    browser = Client()

    page = browser.get(PAGE)
    assert (page.status_code, page["Location"]) == (302, f"/ui/login?next={PAGE}")
    for name in PANELS:
        answer = browser.get(reverse("console:panel", args=[name]))
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer["HX-Redirect"] == f"/ui/login?next={PAGE}"
    assert browser.get(reverse("console:run", args=["a" * 32])).status_code == 401


def test_the_page_has_the_panels_that_its_user_may_see_and_no_script_or_style_in_it(vera: Client) -> None:
    page = vera.get(PAGE).content.decode()

    for name in PANELS:
        assert f'hx-get="/ui/panels/{name}"' in page
    figures = person("fred", viewer.SEE_FIGURES).get(PAGE).content.decode()
    assert 'hx-get="/ui/panels/charts"' in figures
    assert 'hx-get="/ui/panels/runs"' not in figures
    everything = page + "".join(panel(vera, name) for name in PANELS)
    for forbidden in ("<style", " style=", "<script>", " onclick=", "hx-on", "http://", "https://"):
        assert forbidden not in everything, forbidden


def test_who_may_see_nothing_is_told_whom_to_ask(agent: Agent) -> None:
    nobody = person("nora")
    assert "none of the permissions" in nobody.get(PAGE).content.decode()


def test_a_panel_is_refused_without_its_permission(agent: Agent) -> None:
    for name in PANELS:
        others = [one for one in VIEW if one != panels.PANELS[name].needs]
        answer = person(f"has all but {name}", *others).get(reverse("console:panel", args=[name]))
        assert (answer.status_code, answer["X-Console"]) == (403, "fragment")
        assert "You have not the permission" in answer.content.decode()


def test_an_empty_system_says_what_to_do_next(transactional_db: None) -> None:
    browser = person("vera", *VIEW)
    page = browser.get(PAGE).content.decode()
    assert "mongoclaw demo" in page
    assert "mongoclaw agents create -f examples/agents/support.yaml" in page
    for name in PANELS:
        assert "Not available" not in panel(browser, name)


def test_figures_are_those_of_the_ledger(vera: Client, make_event: MakeEvent) -> None:
    for number in range(3):
        completed(make_event, f"doc-{number}")
    dead_run(make_event, "bad", at=datetime.now(UTC))
    ledger.record([make_event("later")], room={}, now=datetime.now(UTC) - timedelta(seconds=65))
    count_all(now=datetime.now(UTC) + timedelta(minutes=1))

    summary = panel(vera, "summary")
    for figure in ("<dd>1</dd>", "oldest 1 min ", ">$0.01<", "of 4"):
        assert figure in summary, figure
    assert "4 runs ended in the last hour, 1 failed" in panel(vera, "charts")
    assert "4 runs ended in the last day, 1 failed" in panel(vera, "charts", span="day")
    assert "write_refused" in panel(vera, "failures")
    assert "$0.01" in panel(vera, "spending")
    agents = panel(vera, "agents")
    assert 'data-label="Ended 24 h">4<' in agents
    assert 'data-label="Failed">1<' in agents


def test_processes_and_streams_are_told_with_what_is_wrong(vera: Client) -> None:
    now = datetime.now(UTC)
    for id_, beat in (("w1", now), ("w2", now - timedelta(seconds=40))):
        role = "worker" if id_ == "w2" else "dispatch"
        WorkerProcess.objects.create(
            id=id_, role=role, host="box", pid=9, slots=8, started_at=now, beat_at=beat
        )

    text = panel(vera, "processes")

    assert "no worker is alive" in text
    assert re.search(r"silent 4\d s", text)
    assert "Redis cannot be reached" in text
    assert "stream pim: no watcher reads it" in text
    assert "dispatches now" in text
    assert "3 problems" in text


def test_a_pause_is_shown_as_long_as_it_holds(vera: Client, redis_url: str) -> None:
    assert "Nothing holds work up" in panel(vera, "holds")
    limiter = Limiter(connect(redis_url), lease_seconds=6, monotonic=lambda: 0.0)
    limiter.report(Lesson("pause", "cooldown:openai", Reason.PROVIDER_QUOTA, 60_000, 60_000, 60_000))
    assert "cooldown:openai" in panel(vera, "holds")
    assert "provider_quota" in panel(vera, "holds")


def test_runs_that_somebody_holds_back_are_shown_with_who_and_why(vera: Client) -> None:
    now = datetime.now(UTC)
    dispatching.pause("triage", by="olga", why="the bill", now=now)

    assert "olga" in panel(vera, "holds")
    assert "the bill" in panel(vera, "holds")
    assert '<span class="state paused">paused</span>' in panel(vera, "agents")

    dispatching.resume("triage", by="olga", now=now)
    dispatching.pause(dispatching.ALL, by="olga", why="", now=now)
    assert "All agents" in panel(vera, "holds")
    assert '<span class="state paused">paused</span>' in panel(vera, "agents")

    dispatching.resume(dispatching.ALL, by="olga", now=now)
    assert "Nothing holds work up" in panel(vera, "holds")
    assert "paused" not in panel(vera, "agents")


def test_a_hold_of_an_agent_out_of_sight_is_not_shown(vera: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatching.pause("triage", by="olga", why="the bill", now=datetime.now(UTC))
    monkeypatch.setattr(viewer, "visible_agents", lambda _: frozenset({"another"}))

    assert "Nothing holds work up" in panel(vera, "holds")


def test_a_panel_whose_server_is_away_says_so_and_the_others_go_on(
    vera: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = load_settings({"MONGOCLAW_REDIS__URL": "redis://:hunter2@127.0.0.1:9/0"})
    monkeypatch.setattr(holds, "current", lambda: nowhere)
    holds._limiter.cache_clear()
    monkeypatch.setattr(
        processes, "outlook", lambda: Outlook(streams_error="not known: MongoDB cannot be reached")
    )
    completed(make_event, "doc")

    away = panel(vera, "holds")
    assert "Redis, which keeps the limits, does not answer" in away
    assert "hunter2" not in away
    assert "Streams are not known: MongoDB cannot be reached" in panel(vera, "processes")
    assert "doc" in panel(vera, "runs")


def test_a_database_that_fails_under_a_panel_is_a_reason_and_no_500(
    vera: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("database is locked at secret-host")

    monkeypatch.setattr(queries, "listed", fail)
    text = panel(vera, "runs")
    assert "The SQL database does not answer (OperationalError)." in text
    assert "secret-host" not in text


def test_hostile_names_and_answers_are_text(vera: Client, make_event: MakeEvent) -> None:
    spec = {
        "id": "hostile", "name": SCRIPT, "description": SCRIPT,
        "watch": {"database": "shop", "collection": "x<b>'\""},
        "ai": {"provider": "sandbox", "model": SCRIPT, "prompt": "x {{ document.a }}"},
        "write": {"target_field": "ai"},
    }  # fmt: skip
    publish(parse_spec(spec), by="tests", now=datetime.now(UTC))
    Agent.objects.filter(pk="hostile").update(health="unhealthy", health_reason=SCRIPT)
    id_ = completed(make_event, f"{SCRIPT}'\"", answer={"topic": SCRIPT})
    dead_run(make_event, f"</td>{SCRIPT}", error=SCRIPT, reason='r"><script>')
    stray(SCRIPT.encode(), task=SCRIPT)
    count_all(now=datetime.now(UTC) + timedelta(minutes=1))

    opened = vera.get(reverse("console:run", args=[id_])).content.decode()
    everything = opened + "".join(panel(vera, name) for name in PANELS)

    assert "&lt;script&gt;" in everything
    assert "<script" not in everything
    assert 'r">&lt;' not in everything


def test_a_run_opens_with_what_the_model_was_given_and_what_was_written(
    vera: Client, make_event: MakeEvent
) -> None:
    id_ = completed(make_event, "ticket-7", took=1.5)

    text = vera.get(reverse("console:run", args=[id_])).content.decode()

    for told in (
        "Sort: ticket-7",
        "&quot;topic&quot;: &quot;refund&quot;",
        "<code>ai</code>",
        "_ai_metadata",
        "340 ms",
    ):
        assert told in text, told
    assert "1.5" in text
    assert "Run again" not in text
    missing = vera.get(reverse("console:run", args=["f" * 32]))
    assert (missing.status_code, missing["X-Console"]) == (404, "fragment")


def test_runs_are_chosen_by_status_and_an_unknown_choice_is_none(vera: Client, make_event: MakeEvent) -> None:
    completed(make_event, "fine")
    dead_run(make_event, "broken")

    assert "broken" not in panel(vera, "runs", status="completed")
    assert "broken" in panel(vera, "runs", status="failed")
    assert {"fine", "broken"} == {
        one for one in ("fine", "broken") if one in panel(vera, "runs", status="x' OR 1")
    }


def test_who_is_bound_to_an_agent_sees_nothing_of_the_others(
    vera: Client, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = completed(make_event, "ticket-7")
    dead_run(make_event, "ticket-8", at=datetime.now(UTC))
    stray(b"hello", task="billing.charge")
    count_all(now=datetime.now(UTC) + timedelta(minutes=1))
    for bound, sees in ((frozenset({"triage"}), True), (frozenset({"other"}), False)):
        monkeypatch.setattr(viewer, "visible_agents", lambda _user, bound=bound: bound)
        for name in ("runs", "letters", "agents", "spending"):
            assert ("triage" in panel(vera, name)) is sees, (name, sees)
        assert ("write_refused" in panel(vera, "failures")) is sees
        assert "billing.charge" not in panel(vera, "letters")
        assert vera.get(reverse("console:run", args=[id_])).status_code == (200 if sees else 404)
        assert ("0 runs ended" in panel(vera, "charts")) is not sees


def test_figures_need_the_permission_for_figures_wherever_they_stand(
    agent: Agent, make_event: MakeEvent
) -> None:
    completed(make_event, "doc")
    count_all(now=datetime.now(UTC) + timedelta(minutes=1))
    text = panel(person("alan", viewer.SEE_AGENTS), "agents")
    assert "triage" in text
    assert "Cost today" not in text
    assert "Dead letters" not in panel(person("fred", viewer.SEE_FIGURES), "summary")


def test_polling_takes_the_same_number_of_queries_however_long_the_ledger_is(
    vera: Client, make_event: MakeEvent, django_assert_max_num_queries: object
) -> None:
    for number in range(20):
        dead_run(make_event, f"dead-{number}", at=datetime.now(UTC))
        completed(make_event, f"doc-{number}")
    count_all(now=datetime.now(UTC) + timedelta(minutes=1))
    for _ in range(15):  # a look reads four minutes of the hour
        panel(vera, "charts")
    for name in PANELS:
        with django_assert_max_num_queries(18):  # type: ignore[operator]
            panel(vera, name)


def test_the_admin_and_the_console_lead_to_each_other(vera: Client) -> None:
    assert f'href="{PAGE}"' in vera.get("/admin/").content.decode()
    assert 'href="/admin/"' in vera.get(PAGE).content.decode()
    assert 'href="/admin/"' not in person("nora").get(PAGE).content.decode()


def test_every_file_of_the_page_is_served_from_here(vera: Client) -> None:
    page = vera.get(PAGE).content.decode()
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(files) == 8
    for file in files:
        answer = vera.get(file)
        assert answer.status_code == 200, file
        answer.close()
