"""Policies that agents share: fixed in each agent's version, published together, never left dangling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from agents_app import policies, registry
from agents_app.errors import (
    PolicyChanged,
    PolicyExists,
    PolicyInUse,
    PolicyNotFound,
    SpecInvalid,
    VersionImmutable,
)
from agents_app.models import AgentVersion, Policy, PolicyVersion
from agents_app.policies import PolicyResult
from agents_app.policy_use import users_of
from agents_app.publish import archive, get, publish
from agents_app.publish_hooks import policy_checks
from agents_app.spec import AgentSpec, ParsedSpec, behaviour_hash, dump_yaml, load_spec, parse_policy

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

MakeSpec = Callable[..., ParsedSpec]


def _policy(name: str = "sure", **content: Any) -> PolicyResult:
    content = content or {"condition": "result.confidence > 0.8"}
    return policies.publish(parse_policy({"name": name, **content}), by="ada", now=NOW)


def _agent(make_spec: MakeSpec, id_: str = "triage", use: str = "sure", **changes: Any) -> AgentVersion:
    return publish(make_spec(id=id_, policy={"use": use}, **changes), by="bob", now=NOW).version


def _spec(agent_id: str) -> AgentSpec:
    version_id = get(agent_id).current_version_id
    assert version_id is not None
    return registry.spec_of(version_id)


@pytest.mark.django_db
def test_an_agents_version_keeps_what_the_policy_said_when_it_was_published(make_spec: MakeSpec) -> None:
    first = _policy().version
    version = _agent(make_spec)
    _policy(condition="result.confidence > 0.9")
    registry.forget()

    before, now = registry.spec_of(version.pk).policy, _spec("triage").policy

    assert version.policy_version == first
    assert before is not None
    assert before.condition == "result.confidence > 0.8"
    assert now is not None
    assert now.condition == "result.confidence > 0.9"


@pytest.mark.django_db
def test_publishing_a_policy_publishes_the_agents_that_use_it_and_says_why(make_spec: MakeSpec) -> None:
    _policy()
    for id_ in ("b", "a"):
        _agent(make_spec, id_)
    publish(make_spec(id="own", policy={"condition": "result.confidence > 0.8"}), by="bob", now=NOW)
    _agent(make_spec, "gone")
    archive("gone", now=NOW)

    result = _policy(condition="result.confidence > 0.9")

    assert result.agents == ("a", "b")
    version = get("a").current_version
    assert version is not None
    assert (version.number, version.note, version.published_by) == (2, "policy 'sure' version 2", "ada")
    assert get("own").current_version == get("own").versions.get()
    assert get("a").enabled


@pytest.mark.django_db
def test_the_same_content_is_the_same_version_and_publishes_no_agent(make_spec: MakeSpec) -> None:
    first = _policy()
    _agent(make_spec)

    described = _policy(condition="result.confidence > 0.8", description="Only when sure.")

    assert (described.version, described.created, described.agents) == (first.version, False, ())
    assert described.policy.description == "Only when sure."
    assert AgentVersion.objects.count() == 1


@pytest.mark.django_db
def test_one_agent_that_does_not_go_with_it_keeps_all_of_them_as_they_were(make_spec: MakeSpec) -> None:
    schema = {"type": "object", "properties": {"mood": {"type": "string"}}, "additionalProperties": False}
    ai = {"provider": "sandbox", "model": "sandbox-1", "prompt": "x", "response_schema": schema}
    _policy()
    _agent(make_spec, "a")
    _agent(make_spec, "b", ai=ai, write={"metadata_field": "queue.meta"})

    with pytest.raises(SpecInvalid, match=r"agent b: write.metadata_field: .* overlaps 'queue' of policy"):
        _policy(action="tag", tag_field="queue")

    assert PolicyVersion.objects.count() == 1
    assert AgentVersion.objects.count() == 2
    assert get("a").revision == 1


@pytest.mark.django_db
def test_an_unknown_policy_is_named_with_those_that_there_are(make_spec: MakeSpec) -> None:
    with pytest.raises(SpecInvalid, match="there is no policy 'shure', nor any other"):
        _agent(make_spec, use="shure")
    _policy()
    _policy("other", condition="result.b == 1")
    with pytest.raises(SpecInvalid, match=r"policy\.use: there is no policy 'shure'; there are other, sure"):
        _agent(make_spec, use="shure")


@pytest.mark.django_db
def test_a_policy_in_use_is_not_deleted(make_spec: MakeSpec) -> None:
    _policy()
    _agent(make_spec)
    with pytest.raises(PolicyInUse, match="used by triage"):
        policies.archive("sure", now=NOW)
    with pytest.raises(PolicyChanged):
        policies.archive("sure", now=NOW, if_revision=7)
    publish(make_spec(), by="bob", now=NOW)

    policies.archive("sure", now=NOW)

    with pytest.raises(PolicyNotFound):
        policies.get("sure")
    with pytest.raises(SpecInvalid, match="there is no policy 'sure'"):
        _agent(make_spec)
    assert _policy().version.number == 1  # it comes back with its versions


@pytest.mark.django_db
def test_nobody_publishes_over_a_change_that_they_have_not_seen() -> None:
    seen = _policy().policy.revision
    _policy(condition="result.a == 1")
    parsed = parse_policy({"name": "sure", "condition": "result.a == 2"})
    with pytest.raises(PolicyChanged):
        policies.publish(parsed, by="bob", now=NOW, if_revision=seen)
    with pytest.raises(PolicyExists):
        policies.publish(parsed, by="bob", now=NOW, must_be_new=True)
    assert PolicyVersion.objects.count() == 2


@pytest.mark.django_db
def test_a_version_of_a_policy_never_changes() -> None:
    version = _policy().version
    version.number = 9
    for change in (version.save, version.delete, PolicyVersion.objects.all().delete):
        with pytest.raises(VersionImmutable):
            change()


@pytest.mark.django_db
def test_an_agents_text_says_what_its_author_wrote(make_spec: MakeSpec) -> None:
    _policy()
    _agent(make_spec)
    text = dump_yaml(_spec("triage"), managed=False)
    assert "policy:\n  use: sure\n" in text
    assert publish(load_spec(text), by="bob", now=NOW).created is False


@pytest.mark.django_db
def test_documents_are_not_asked_about_again_because_a_policy_moved(make_spec: MakeSpec) -> None:
    inline = make_spec(policy={"condition": "result.confidence > 0.8"}).spec
    _policy()
    _agent(make_spec)
    assert behaviour_hash(_spec("triage")) == behaviour_hash(inline)
    _policy(condition="result.confidence > 0.9")
    assert behaviour_hash(_spec("triage")) != behaviour_hash(inline)


@pytest.mark.django_db
def test_a_condition_that_cannot_be_used_is_refused_with_its_place() -> None:
    parsed = parse_policy({"name": "sure", "condition": "result.a = 1"})
    with pytest.raises(SpecInvalid, match=r"^condition: column \d+: compare with == instead of =$"):
        policies.publish(parsed, by="ada", now=NOW, checks=policy_checks())
    assert not Policy.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_agent_published_beside_its_policy_ends_with_the_newest(make_spec: MakeSpec) -> None:
    """Whoever comes first, the agent never stays behind with the former version."""
    _policy()
    start = Barrier(2)
    failed: list[BaseException] = []

    def at_once(work: Callable[[], object]) -> None:
        start.wait(30)
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # told below, whatever it is
            failed.append(error)
        finally:
            connection.close()

    threads = [
        Thread(target=at_once, args=(lambda: _policy(condition="result.confidence > 0.9"),)),
        Thread(target=at_once, args=(lambda: _agent(make_spec),)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not failed
    version = get("triage").current_version
    assert version is not None
    assert version.policy_version == policies.get("sure").current_version
    assert users_of("sure") == ["triage"]
