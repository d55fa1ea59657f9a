"""The admin of shared policies, for Alice who may look, Bob who may change, and Charlie who may do neither."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from agents_app import policies
from agents_app.models import Policy, PolicyVersion
from agents_app.publish import get, publish
from agents_app.spec import ParsedSpec, parse_policy
from tests.people import signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
POLICIES = "/admin/agents_app/policy/"
SURE = f"{POLICIES}sure/change/"
TIGHTER = "name: sure\ncondition: result.score > 0.9\n"

MakeSpec = Callable[..., ParsedSpec]


@pytest.fixture(autouse=True)
def sure(make_spec: MakeSpec) -> Policy:
    """A policy that one agent uses."""
    content = {"name": "sure", "condition": "result.score > 0.8"}
    policy = policies.publish(parse_policy(content), by="ada", now=NOW).policy
    publish(make_spec(policy={"use": "sure"}), by="ada", now=NOW)
    return policy


@pytest.fixture
def alice() -> Client:
    return signed_in("alice", "view_policy")


@pytest.fixture
def bob() -> Client:
    return signed_in("bob", "view_policy", "add_policy", "change_policy", "delete_policy")


def _text(response: Any) -> str:
    return html.unescape(response.content.decode())


def _confirmed(client: Client, page: str, text: str) -> str:
    names = dict(re.findall(r'name="(seen_revision|reviewed)" value="(\w+)"', page))
    return _text(client.post(SURE, {"specification": text, "_continue": "Publish", **names}, follow=True))


def test_the_change_and_the_agents_it_is_for_are_shown_before_it_is_published(bob: Client) -> None:
    page = _text(bob.post(SURE, {"specification": TIGHTER, "seen_revision": "1"}))
    assert "<ins>+ condition: result.score > 0.9</ins>" in page
    assert "published again with it, all of them or none: <strong>triage</strong>" in page
    assert PolicyVersion.objects.count() == 1

    done = _confirmed(bob, page, TIGHTER)

    assert "Version 2 published." in done
    assert "Published again with it: triage." in done
    version = get("triage").current_version
    assert version is not None
    assert (version.note, version.published_by) == ("policy 'sure' version 2", "bob")
    entry = LogEntry.objects.get(object_id="triage")
    assert entry.get_change_message() == "Published again with policy sure v2."


def test_a_question_is_asked_anew_when_another_agent_has_come_to_use_it(
    bob: Client, make_spec: MakeSpec
) -> None:
    page = _text(bob.post(SURE, {"specification": TIGHTER, "seen_revision": "1"}))
    publish(make_spec(id="late", policy={"use": "sure"}), by="ada", now=NOW)
    asked = _confirmed(bob, page, TIGHTER)
    assert "<strong>late, triage</strong>" in asked
    assert PolicyVersion.objects.count() == 1


def test_a_policy_is_gone_back_on_by_its_page(bob: Client) -> None:
    first = PolicyVersion.objects.get()
    policies.publish(parse_policy({"name": "sure", "condition": "result.score > 0.9"}), by="ada", now=NOW)
    page = _text(bob.get(f"{POLICIES}restore/{first.pk}/"))
    assert "<ins>+ condition: result.score > 0.8</ins>" in page
    text = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert text is not None
    assert "Version 1 is current" in _confirmed(bob, page, text[1])
    assert policies.get("sure").current_version == first


def test_nobody_undoes_anothers_change_unseen(bob: Client) -> None:
    policies.publish(parse_policy({"name": "sure", "condition": "result.a == 1"}), by="ada", now=NOW)
    page = _text(bob.post(SURE, {"specification": TIGHTER, "seen_revision": "1"}))
    assert "Someone else changed this policy in the meantime" in page


def test_a_policy_in_use_is_not_deleted_and_the_page_says_by_whom(bob: Client, make_spec: MakeSpec) -> None:
    page = _text(bob.post(f"{POLICIES}sure/delete/", {"post": "yes"}, follow=True))
    assert "cannot be deleted: it is used by triage" in page
    assert Policy.objects.get().archived_at is None
    publish(make_spec(), by="ada", now=NOW)
    bob.post(f"{POLICIES}sure/delete/", {"post": "yes"})
    assert Policy.objects.get().archived_at is not None


def test_the_text_for_a_new_policy_can_be_saved_as_it_is(bob: Client) -> None:
    match = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", _text(bob.get(f"{POLICIES}add/")), re.DOTALL)
    assert match is not None
    assert "Version 1 published." in _text(
        bob.post(f"{POLICIES}add/", {"specification": match[1]}, follow=True)
    )


def test_problems_are_told_with_path_and_line(bob: Client) -> None:
    (problem,) = bob.post(f"{POLICIES}check/", {"text": "name: x\ncondition: result.a ="}).json()["problems"]
    assert (problem["path"], problem["line"]) == ("condition", 2)
    page = _text(bob.post(SURE, {"specification": "name: other", "seen_revision": "1"}))
    assert "name: must stay 'sure'" in page


def test_a_viewer_looks_and_changes_nothing(alice: Client, sure: Policy) -> None:
    assert "condition: result.score > 0.8" in _text(alice.get(SURE))
    assert "<textarea" not in _text(alice.get(SURE))
    assert alice.post(SURE, {"specification": TIGHTER, "seen_revision": "1"}).status_code == 403
    assert alice.post(f"{POLICIES}check/", {"text": TIGHTER}).status_code == 403
    assert alice.post(f"{POLICIES}sure/delete/", {"post": "yes"}).status_code == 403
    assert alice.get(f"{POLICIES}restore/{sure.current_version_id}/").status_code == 403
    assert PolicyVersion.objects.count() == 1


def test_an_outsider_sees_no_policy() -> None:
    charlie = signed_in("charlie", "add_apikey")
    for url in (POLICIES, SURE):
        response = charlie.get(url)
        assert response.status_code == 403
        assert "0.8" not in _text(response)
