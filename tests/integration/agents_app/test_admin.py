"""The admin of agents, for three people: Alice may look, Bob may change, Charlie may do neither."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils.module_loading import import_string
from pytest_django import Settings

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.models import Agent, AgentVersion
from agents_app.publish import archive, get, publish, set_enabled
from agents_app.registry import spec_of
from agents_app.spec import AgentSpec, ParsedSpec, dump_yaml
from mongoclaw_project import settings as project
from mongoclaw_project.config import load_settings
from tests.people import signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AGENTS = "/admin/agents_app/agent/"
VERSIONS = "/admin/agents_app/agentversion/"
ADD = f"{AGENTS}add/"
TRIAGE = f"{AGENTS}triage/change/"

MakeSpec = Callable[..., ParsedSpec]


def refuse_kettles(spec: AgentSpec) -> Iterator[str]:
    """Stand in for the checks of the project: one refusal, one remark."""
    if "kettle" in spec.ai.prompt:
        raise SpecInvalid(errors=[SpecProblem("ai.prompt", "line 1: no kettles")])
    if "teapot" in spec.ai.prompt:
        yield "ai.prompt: teapots are slow"


@pytest.fixture(autouse=True)
def _checks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents_app.publish_hooks.import_string", {"kettles": refuse_kettles}.__getitem__)
    settings.AGENT_PUBLISH_CHECKS = ["kettles"]


@pytest.fixture
def alice() -> Client:
    return signed_in("alice", "view_agent")


@pytest.fixture
def bob() -> Client:
    return signed_in("bob", "view_agent", "add_agent", "change_agent", "delete_agent", "operate_agent")


@pytest.fixture
def charlie() -> Client:
    return signed_in("charlie", "add_apikey")


@pytest.fixture
def agent(make_spec: MakeSpec) -> Agent:
    return publish(make_spec(), by="ada", now=NOW).agent


def _text(response: Any) -> str:
    return html.unescape(response.content.decode())


def _yaml(parsed: ParsedSpec) -> str:
    return dump_yaml(parsed.spec, managed=False)


def _act(client: Client, action: str, *ids: str, url: str = AGENTS, **more: str) -> Any:
    data = {"action": action, "_selected_action": list(ids), **more}
    return client.post(url, data, follow=True)


def _publish(client: Client, parsed: ParsedSpec, revision: int = 1) -> Any:
    """Look at the change, then confirm it, as the page's buttons do."""
    asked = client.post(TRIAGE, {"specification": _yaml(parsed), "seen_revision": str(revision)})
    names = re.findall(r'name="(seen_revision|reviewed)" value="(\w+)"', _text(asked))
    data = {"specification": _yaml(parsed), "_continue": "Publish", **dict(names)}
    return client.post(TRIAGE, data, follow=True)


def test_a_viewer_sees_agents_and_their_text_but_no_editor_and_no_action(alice: Client, agent: Agent) -> None:
    listed = _text(alice.get(AGENTS))
    assert "triage" in listed
    assert "shop.tickets" in listed
    assert 'name="action"' not in listed
    shown = _text(alice.get(TRIAGE))
    assert "prompt: 'Sort: {{ document.text }}'" in shown
    assert "<textarea" not in shown
    assert 'name="_save"' not in shown


def test_a_viewer_changes_nothing_by_any_way(alice: Client, agent: Agent, make_spec: MakeSpec) -> None:
    new = {"specification": _yaml(make_spec("new"))}
    assert alice.post(TRIAGE, new).status_code == 403
    assert alice.post(ADD, {"specification": _yaml(make_spec(id="other"))}).status_code == 403
    assert alice.post(f"{AGENTS}triage/delete/", {"post": "yes"}).status_code == 403
    for action in ("enable", "disable", "delete_selected"):
        _act(alice, action, "triage", post="yes")
    _act(alice, "make_current", str(agent.current_version_id), url=VERSIONS)
    assert (get("triage").revision, AgentVersion.objects.count()) == (1, 1)


@pytest.mark.parametrize("url", [AGENTS, TRIAGE, ADD, VERSIONS])
def test_an_outsider_sees_nothing(charlie: Client, agent: Agent, url: str) -> None:
    response = charlie.get(url)
    assert response.status_code == 403
    assert "triage" not in _text(response)


@pytest.mark.parametrize("url", [AGENTS, TRIAGE])
def test_an_outsider_changes_nothing(charlie: Client, agent: Agent, url: str, make_spec: MakeSpec) -> None:
    data = {"specification": _yaml(make_spec("new")), "action": "disable", "_selected_action": "triage"}
    assert charlie.post(url, data).status_code == 403
    assert get("triage").revision == 1


def test_the_form_for_a_new_agent_holds_one_that_can_be_saved_as_it_is(bob: Client) -> None:
    match = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", _text(bob.get(ADD)), re.DOTALL)
    assert match is not None
    response = bob.post(ADD, {"specification": match[1]}, follow=True)
    assert "Version 1 published." in _text(response)
    assert get("my-agent").current_version is not None


def test_saving_publishes_a_version_under_the_editors_name(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    assert "Version 2 published." in _text(_publish(bob, make_spec("new")))
    version = get("triage").current_version
    assert version is not None
    assert (version.number, version.published_by, version.spec["ai"]["prompt"]) == (2, "bob", "new")


def test_the_editor_shows_what_is_current_and_saving_it_changes_nothing(bob: Client, agent: Agent) -> None:
    match = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", _text(bob.get(TRIAGE)), re.DOTALL)
    assert match is not None
    response = bob.post(TRIAGE, {"specification": match[1], "seen_revision": "1"}, follow=True)
    assert "Version 1 is current" in _text(response)
    assert (get("triage").revision, AgentVersion.objects.count()) == (1, 1)


def test_each_problem_is_shown_in_the_form_with_its_path_and_nothing_is_saved(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    text = _yaml(make_spec("new")).replace("temperature: 0.7", "temperature: 3\n  temprature: 1")
    page = _text(bob.post(TRIAGE, {"specification": text, "seen_revision": "1"}))
    assert "ai.temperature: must be ≤ 2 (line " in page
    assert "ai.temprature: unknown key; did you mean ai.temperature?" in page
    assert "temprature: 1" in page  # what was typed is not lost
    assert AgentVersion.objects.count() == 1


@pytest.mark.parametrize("text", ["a: [", "", "!!python/object:os.system {}", "x" * 300_000, "\x00", "{"])
def test_a_text_that_is_no_agent_is_refused_in_the_form(bob: Client, agent: Agent, text: str) -> None:
    response = bob.post(TRIAGE, {"specification": text, "seen_revision": "1"})
    assert response.status_code == 200
    assert 'class="errorlist"' in _text(response)


def test_the_projects_checks_refuse_and_remark(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    page = _text(bob.post(TRIAGE, {"specification": _yaml(make_spec("kettle")), "seen_revision": "1"}))
    assert "ai.prompt: line 1: no kettles" in page
    assert "Warning: ai.prompt: teapots are slow" in _text(_publish(bob, make_spec("teapot")))


def test_what_another_release_has_written_hides_no_agent_and_can_be_published_anew(
    bob: Client, unreadable: Agent, make_spec: MakeSpec
) -> None:
    editor = f"{AGENTS}{unreadable.pk}/change/"
    assert unreadable.pk in _text(bob.get(AGENTS))
    assert "soul: 1" in _text(bob.get(editor))
    assert "soul: 1" in _text(bob.get(f"{VERSIONS}{unreadable.current_version_id}/change/"))

    data = {"specification": _yaml(make_spec("new", id="future")), "seen_revision": "1"}
    page = _text(bob.post(editor, data))
    assert "<del>- soul: 1</del>" in page
    names = dict(re.findall(r'name="(seen_revision|reviewed)" value="(\w+)"', page))
    bob.post(editor, {**data, "_continue": "Publish", **names})

    assert spec_of(get("future").current_version_id or 0).ai.prompt == "new"


def test_the_id_of_an_agent_stays(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    page = _text(bob.post(TRIAGE, {"specification": _yaml(make_spec(id="other")), "seen_revision": "1"}))
    assert "id: must stay 'triage'" in page
    assert Agent.objects.count() == 1


def test_an_agent_is_not_added_over_another(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    page = _text(bob.post(ADD, {"specification": _yaml(make_spec("new"))}))
    assert "id: Agent 'triage' exists already" in page
    assert AgentVersion.objects.count() == 1


def test_nobody_undoes_anothers_change_unseen(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    publish(make_spec("by ada"), by="ada", now=NOW)
    page = _text(bob.post(TRIAGE, {"specification": _yaml(make_spec("by bob")), "seen_revision": "1"}))
    assert "Someone else changed this agent in the meantime" in page
    assert get("triage").revision == 2


def test_publishing_is_told_once_and_claims_no_change_where_there_is_none(
    bob: Client, make_spec: MakeSpec
) -> None:
    added = bob.post(ADD, {"specification": _yaml(make_spec("new"))}, follow=True)
    again = bob.post(TRIAGE, {"specification": _yaml(make_spec("new")), "seen_revision": "1"}, follow=True)

    assert "Version 1 published." in _text(added)
    assert "Version 1 is current; its content had been published before." in _text(again)
    assert added.redirect_chain[-1][0] == again.redirect_chain[-1][0] == TRIAGE
    for page in (added, again):
        assert "successfully" not in _text(page)


def test_saving_does_not_wake_a_disabled_agent(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    set_enabled("triage", enabled=False, now=NOW)
    _publish(bob, make_spec("new"), revision=2)
    assert (get("triage").enabled, get("triage").revision) == (False, 3)


def test_agents_are_switched_with_a_count_and_a_note_in_the_history(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    publish(make_spec(id="asleep", enabled=False), by="ada", now=NOW)
    page = _text(_act(bob, "disable", "triage", "asleep"))
    assert "Disabled: triage." in page
    assert "Left as they were, disabled already: 1." in page
    assert LogEntry.objects.get().get_change_message() == "Disabled."
    assert "Enabled: asleep, triage." in _text(_act(bob, "enable", "triage", "asleep"))
    assert get("asleep").enabled


def test_deleting_asks_first_and_archives(bob: Client, agent: Agent) -> None:
    page = _text(_act(bob, "delete_selected", "triage"))
    assert "Delete agents?" in page
    assert get("triage").enabled
    page = _text(_act(bob, "delete_selected", "triage", post="yes"))
    assert "Successfully deleted 1 agent." in page
    archived = Agent.objects.get(pk="triage")
    assert archived.archived_at is not None
    assert AgentVersion.objects.count() == 1
    assert "0 agents" in _text(bob.get(AGENTS))


def test_the_delete_button_of_one_agent_archives_it(bob: Client, agent: Agent) -> None:
    assert "Delete the agent" in _text(bob.get(f"{AGENTS}triage/delete/"))
    bob.post(f"{AGENTS}triage/delete/", {"post": "yes"})
    assert Agent.objects.get(pk="triage").archived_at is not None


def test_an_editor_without_the_right_to_delete_has_no_such_action(agent: Agent) -> None:
    editor = signed_in("eve", "view_agent", "change_agent")
    assert 'value="delete_selected"' not in _text(editor.get(AGENTS))
    _act(editor, "delete_selected", "triage", post="yes")
    assert get("triage").archived_at is None


def test_an_archived_agent_is_not_shown_and_can_be_added_again(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    archive("triage", now=NOW)
    assert bob.get(TRIAGE).status_code == 302
    response = bob.post(ADD, {"specification": _yaml(make_spec("back"))}, follow=True)
    assert "Version 2 published." in _text(response)


def test_versions_are_shown_with_their_changes_and_cannot_be_changed(
    alice: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    second = publish(make_spec("Rank: {{ document.text }}"), by="bob", now=NOW).version
    assert f"{VERSIONS}{second.pk}/change/" in _text(alice.get(TRIAGE))
    page = _text(alice.get(f"{VERSIONS}{second.pk}/change/"))
    assert "<del>-   prompt: 'Sort: {{ document.text }}'</del>" in page
    assert "<ins>+   prompt: 'Rank: {{ document.text }}'</ins>" in page
    assert "<textarea" not in page
    assert 'name="_save"' not in page
    first = _text(alice.get(f"{VERSIONS}{agent.current_version_id}/change/"))
    assert "This is the first version." in first


@pytest.mark.parametrize("path", ["add/", "1/change/", "1/delete/"])
def test_not_even_a_superuser_changes_versions(agent: Agent, path: str) -> None:
    User.objects.create_superuser("root", password="secret")
    client = Client()
    client.login(username="root", password="secret")
    path = path.replace("1", str(agent.current_version_id))
    assert client.post(VERSIONS + path, {"number": "9", "post": "yes"}).status_code == 403
    assert AgentVersion.objects.get().number == 1


def test_an_earlier_version_is_made_current_again(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    publish(make_spec("two"), by="ada", now=NOW)
    asked = _text(_act(bob, "make_current", str(agent.current_version_id), url=VERSIONS))
    assert "<del>-   prompt: two</del>" in asked
    assert get("triage").revision == 2
    restore = f"{VERSIONS}{agent.current_version_id}/restore/"
    page = _text(bob.post(restore, {"seen_revision": "2"}, follow=True))
    assert "Now current: triage v1." in page
    assert get("triage").current_version_id == agent.current_version_id


def test_going_back_is_refused_over_a_change_that_was_not_seen(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    publish(make_spec("two"), by="ada", now=NOW)
    restore = f"{VERSIONS}{agent.current_version_id}/restore/"
    assert 'name="seen_revision" value="2"' in _text(bob.get(restore))
    third = publish(make_spec("three"), by="ada", now=NOW).version
    page = _text(bob.post(restore, {"seen_revision": "2"}, follow=True))
    assert "changed by someone else in the meantime" in page
    assert get("triage").current_version_id == third.pk


def test_nothing_is_published_before_the_change_was_looked_at(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    data = {"specification": _yaml(make_spec("new")), "seen_revision": "1"}
    page = _text(bob.post(TRIAGE, data))
    assert "<ins>+   prompt: new</ins>" in page
    assert get("triage").revision == 1
    reviewed = re.search(r'name="reviewed" value="(\w+)"', page)
    assert reviewed is not None
    other = {**data, "specification": _yaml(make_spec("not seen")), "reviewed": reviewed[1]}
    assert "<ins>+   prompt: not seen</ins>" in _text(bob.post(TRIAGE, other))
    assert get("triage").revision == 1


def test_a_viewer_goes_back_to_no_version(alice: Client, agent: Agent, make_spec: MakeSpec) -> None:
    publish(make_spec("two"), by="ada", now=NOW)
    restore = f"{VERSIONS}{agent.current_version_id}/restore/"
    assert alice.get(restore).status_code == 403
    assert alice.post(restore, {"seen_revision": "2"}).status_code == 403
    assert get("triage").revision == 2


def test_the_editor_is_told_each_problem_with_path_and_line(
    alice: Client, bob: Client, make_spec: MakeSpec
) -> None:
    text = _yaml(make_spec("kettle"))
    line = 1 + text[: text.index("prompt: kettle")].count("\n")
    assert bob.post(f"{AGENTS}check/", {"text": text}).json() == {
        "problems": [{"path": "ai.prompt", "message": "line 1: no kettles", "line": line, "column": 3}],
        "warnings": [],
    }
    (broken,) = bob.post(f"{AGENTS}check/", {"text": "id: a\nai: ["}).json()["problems"]
    assert (broken["path"], broken["line"]) == ("", 2)
    assert bob.post(f"{AGENTS}check/", {"text": _yaml(make_spec("teapot"))}).json() == {
        "problems": [],
        "warnings": ["ai.prompt: teapots are slow"],
    }
    assert alice.post(f"{AGENTS}check/", {"text": text}).status_code == 403
    assert bob.get(f"{AGENTS}check/").status_code == 405


def test_every_example_can_be_chosen_and_published(bob: Client) -> None:
    offered = re.findall(r'href="\?example=([\w-]+)"', _text(bob.get(ADD)))
    assert "support" in offered
    page = _text(bob.get(f"{ADD}?example=support"))
    match = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert match is not None
    assert "Version 1 published." in _text(bob.post(ADD, {"specification": match[1]}, follow=True))
    assert get("support-triage").enabled


def test_no_page_of_ours_needs_inline_scripts_or_styles(
    bob: Client, agent: Agent, make_spec: MakeSpec
) -> None:
    second = publish(make_spec("two"), by="ada", now=NOW).version
    pages = (ADD, TRIAGE, f"{VERSIONS}{second.pk}/change/", f"/admin/try/agent/?version={second.pk}")
    for url in pages:
        page = bob.get(url).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)[^>]*>\s*[^<\s]", page), url


def test_only_one_version_can_be_made_current(bob: Client, agent: Agent, make_spec: MakeSpec) -> None:
    second = publish(make_spec("two"), by="ada", now=NOW).version
    both = (str(agent.current_version_id), str(second.pk))
    assert "Select exactly one version." in _text(_act(bob, "make_current", *both, url=VERSIONS))


def test_a_version_of_an_archived_agent_stays_asleep(bob: Client, agent: Agent) -> None:
    archive("triage", now=NOW)
    page = _text(_act(bob, "make_current", str(agent.current_version_id), url=VERSIONS))
    assert "Agent 'triage' not found" in page
    restore = f"{VERSIONS}{agent.current_version_id}/restore/"
    assert "Agent 'triage' not found" in _text(bob.post(restore, {"seen_revision": "1"}, follow=True))
    assert not Agent.objects.get().enabled


def test_text_of_an_agent_is_never_markup(alice: Client, make_spec: MakeSpec) -> None:
    evil = "<script>alert(1)</script>"
    publish(make_spec("x", name=evil, description=evil), by=evil, now=NOW)
    second = publish(make_spec(evil, name=evil), by=evil, now=NOW).version
    for url in (AGENTS, TRIAGE, f"{VERSIONS}{second.pk}/change/", VERSIONS):
        assert evil not in alice.get(url).content.decode()


def test_a_filter_that_mongodb_cannot_evaluate_is_refused_in_the_form(
    bob: Client,
    agent: Agent,
    make_spec: MakeSpec,
    mongo_uri: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mongo = load_settings({"MONGOCLAW_MONGODB__URI": mongo_uri})
    monkeypatch.setattr("mongoclaw_project.watch_check.current", lambda: mongo)
    monkeypatch.setattr("agents_app.publish_hooks.import_string", import_string)
    settings.AGENT_PUBLISH_CHECKS = project.AGENT_PUBLISH_CHECKS
    watch = {"database": "shop", "collection": "tickets", "filter": {"text": {"$regex": "("}}}
    data = {"specification": _yaml(make_spec("new", watch=watch)), "seen_revision": "1"}
    shown = _text(bob.post(TRIAGE, data, follow=True))
    assert "watch.filter: MongoDB cannot evaluate it" in shown
    assert (get("triage").revision, AgentVersion.objects.count()) == (1, 1)


def test_a_version_of_another_release_does_not_end_searching_for_runs(unreadable: Agent) -> None:
    seer = signed_in("dora", "view_execution")
    assert seer.get("/admin/executions_app/execution/", {"q": "order-1"}).status_code == 200
