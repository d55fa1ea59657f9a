"""The registry: what it remembers, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from agents_app import registry
from agents_app.errors import VersionNotFound, VersionUnreadable
from agents_app.models import Agent, AgentVersion
from agents_app.publish import archive, publish, set_enabled
from agents_app.spec import ParsedSpec, dump_json

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

MakeSpec = Callable[..., ParsedSpec]


def test_only_enabled_agents_that_are_not_archived_are_active(make_spec: MakeSpec) -> None:
    for agent_id in ("on", "off", "gone"):
        publish(make_spec(id=agent_id), by="ada", now=NOW)
    set_enabled("off", enabled=False, now=NOW)
    archive("gone", now=NOW)
    (active,) = registry.active_agents()
    assert (active.agent_id, active.enabled_at, active.spec.id) == ("on", NOW, "on")


def test_agents_that_have_not_changed_cost_one_query_and_are_the_same_tuple(
    make_spec: MakeSpec, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        publish(make_spec(id=f"agent-{number}"), by="ada", now=NOW)
    before = registry.active_agents()
    with django_assert_num_queries(1):
        assert registry.active_agents() is before
    assert len(before) == 5


def test_every_way_to_change_an_agent_is_seen_at_once(make_spec: MakeSpec) -> None:
    def ids() -> list[str]:
        return [agent.agent_id for agent in registry.active_agents()]

    assert ids() == []
    publish(make_spec(id="one"), by="ada", now=NOW)
    publish(make_spec(id="two"), by="ada", now=NOW)
    assert ids() == ["one", "two"]
    set_enabled("one", enabled=False, now=NOW)
    assert ids() == ["two"]
    set_enabled("one", enabled=True, now=NOW)
    assert ids() == ["one", "two"]
    archive("two", now=NOW)
    assert ids() == ["one"]
    publish(make_spec(id="two"), by="ada", now=NOW)
    assert ids() == ["one", "two"]


def test_a_new_version_is_seen_at_once(make_spec: MakeSpec) -> None:
    publish(make_spec("old"), by="ada", now=NOW)
    registry.active_agents()
    version = publish(make_spec("new"), by="ada", now=NOW).version
    (active,) = registry.active_agents()
    assert (active.version_id, active.spec.ai.prompt) == (version.pk, "new")


def test_an_old_version_that_is_published_again_is_current_from_then_on(make_spec: MakeSpec) -> None:
    publish(make_spec("old"), by="ada", now=NOW)
    publish(make_spec("new"), by="ada", now=NOW + timedelta(days=60))
    publish(make_spec("old"), by="ada", now=NOW + timedelta(days=61))
    set_enabled("triage", enabled=False, now=NOW + timedelta(days=62))
    set_enabled("triage", enabled=True, now=NOW + timedelta(days=63))

    (active,) = registry.active_agents()

    assert (active.spec.ai.prompt, active.current_since) == ("old", NOW + timedelta(days=61))


def test_a_version_is_read_once(
    make_spec: MakeSpec, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = publish(make_spec(), by="ada", now=NOW).version
    with django_assert_num_queries(1):
        assert registry.spec_of(version.pk) is registry.spec_of(version.pk)


def test_an_unknown_version_is_an_error_that_is_not_remembered(make_spec: MakeSpec) -> None:
    with pytest.raises(VersionNotFound):
        registry.spec_of(1)
    version = publish(make_spec(), by="ada", now=NOW).version
    assert registry.spec_of(version.pk).id == "triage"


@pytest.mark.parametrize("stored", [{"a_key_of_the_next_release": 1}, {"ai": "another shape"}], ids=repr)
def test_an_agent_of_another_release_is_unhealthy_and_the_others_work(
    make_spec: MakeSpec, stored: dict[str, object]
) -> None:
    publish(make_spec(id="fine"), by="ada", now=NOW)
    agent = publish(make_spec(id="newer"), by="ada", now=NOW).agent
    assert agent.current_version is not None
    foreign = AgentVersion.objects.create(
        agent=agent,
        number=2,
        content_hash="of another release",
        spec={**agent.current_version.spec, **stored},
        published_by="ada",
        created_at=NOW,
    )
    Agent.objects.filter(pk="newer").update(current_version=foreign)

    assert [active.agent_id for active in registry.active_agents()] == ["fine"]
    assert [active.agent_id for active in registry.active_agents()] == ["fine"]
    agent.refresh_from_db()
    assert agent.health == "unhealthy"
    assert f"cannot read version 2 of the agent ({next(iter(stored))}" in agent.health_reason
    with pytest.raises(VersionUnreadable):
        registry.spec_of(foreign.pk)


def test_activity_is_asked_for_at_most_once_a_second(
    make_spec: MakeSpec, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    publish(make_spec(), by="ada", now=NOW)
    with django_assert_num_queries(1):
        assert all(registry.current_version("triage", monotonic=100 + step / 10) for step in range(10))
        assert not registry.current_version("other", monotonic=100.95)
    set_enabled("triage", enabled=False, now=NOW)
    assert registry.current_version("triage", monotonic=100.99)
    assert not registry.current_version("triage", monotonic=101.0)


def test_a_clock_that_starts_anew_is_no_reason_to_be_stale(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    assert registry.current_version("triage", monotonic=1000.0)
    archive("triage", now=NOW)
    assert not registry.current_version("triage", monotonic=1.0)


def test_the_configuration_of_an_agent_shows_what_the_server_manages(make_spec: MakeSpec) -> None:
    publish(make_spec(version=9, created_at="2001-01-01T00:00:00Z"), by="ada", now=NOW)
    agent = set_enabled("triage", enabled=False, now=NOW)
    config = dump_json(registry.config_of(agent))
    assert (config["enabled"], config["version"]) == (False, 2)
    assert (config["created_at"], config["updated_at"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z")


def test_an_agent_without_a_version_has_no_configuration() -> None:
    agent = Agent.objects.create(id="bare", name="Bare", created_at=NOW, updated_at=NOW)
    with pytest.raises(VersionNotFound):
        registry.config_of(agent)
    assert registry.active_agents() == ()
