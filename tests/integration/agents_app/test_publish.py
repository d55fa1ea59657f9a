"""Publishing: one version per content, all or nothing, whoever comes at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.core import serializers
from django.db import connection, transaction

from agents_app.errors import (
    AgentChanged,
    AgentExists,
    AgentNotFound,
    SpecInvalid,
    SpecProblem,
    VersionImmutable,
)
from agents_app.models import Agent, AgentVersion, Health
from agents_app.publish import (
    COLLECTION_REASON,
    STREAM_REASON,
    UNREADABLE_REASON,
    archive,
    get,
    mark_health,
    mark_watched,
    publish,
    set_enabled,
)
from agents_app.spec import AgentSpec, ParsedSpec, content_hash

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

MakeSpec = Callable[..., ParsedSpec]


def test_the_first_publication_makes_an_enabled_agent_with_version_one(make_spec: MakeSpec) -> None:
    parsed = make_spec(tags=["a", "b"], description="Sorts tickets")
    result = publish(parsed, by="ada", now=NOW)
    agent = get("triage")
    assert result.created
    assert (result.version.number, result.version.published_by) == (1, "ada")
    assert result.version.content_hash == content_hash(parsed.spec)
    assert (agent.enabled, agent.enabled_at, agent.revision, agent.health) == (True, NOW, 1, Health.UNKNOWN)
    assert (agent.name, agent.description, agent.tags) == ("Triage", "Sorts tickets", ["a", "b"])


def test_the_same_content_published_again_changes_nothing(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    again = publish(make_spec(), by="bob", now=LATER)
    assert not again.created
    assert (again.version.number, again.agent.revision, again.agent.updated_at) == (1, 1, NOW)


def test_new_content_makes_the_next_version_and_leaves_the_old_one_as_it_was(make_spec: MakeSpec) -> None:
    publish(make_spec("old {{ document.a }}"), by="ada", now=NOW)
    publish(make_spec("new {{ document.a }}"), by="bob", now=LATER)
    versions = {version.number: version for version in AgentVersion.objects.all()}
    assert versions[1].spec["ai"]["prompt"] == "old {{ document.a }}"
    assert versions[2].spec["ai"]["prompt"] == "new {{ document.a }}"
    assert get("triage").current_version == versions[2]


def test_earlier_content_published_again_points_back_to_its_version(make_spec: MakeSpec) -> None:
    publish(make_spec("one"), by="ada", now=NOW)
    publish(make_spec("two"), by="ada", now=NOW)
    back = publish(make_spec("one"), by="ada", now=LATER)
    assert (back.created, back.version.number, AgentVersion.objects.count()) == (False, 1, 2)
    assert get("triage").current_version == back.version


def test_the_order_of_a_schemas_properties_survives_the_database(make_spec: MakeSpec) -> None:
    schema = {"type": "object", "properties": {"reason": {"type": "string"}, "a": {"type": "string"}}}
    publish(make_spec(ai={"prompt": "x", "response_schema": schema}), by="ada", now=NOW)
    stored = AgentVersion.objects.get().spec["ai"]["response_schema"]
    assert list(stored["properties"]) == ["reason", "a"]


def test_a_disabled_agent_stays_disabled_unless_the_text_says_otherwise(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    set_enabled("triage", enabled=False, now=NOW)
    assert not publish(make_spec("new"), by="ada", now=LATER).agent.enabled
    explicit = publish(make_spec("new", enabled=True), by="ada", now=LATER).agent
    assert (explicit.enabled, explicit.enabled_at) == (True, LATER)


def test_publishing_with_enabled_false_makes_a_sleeping_agent(make_spec: MakeSpec) -> None:
    agent = publish(make_spec(enabled=False), by="ada", now=NOW).agent
    assert (agent.enabled, agent.enabled_at) == (False, None)


def test_a_new_version_of_an_unhealthy_agent_gets_a_new_chance(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    mark_health("triage", Health.UNHEALTHY, "unknown operator: $foo")
    assert publish(make_spec("new"), by="ada", now=LATER).agent.health == Health.UNKNOWN


def test_archiving_hides_the_agent_and_keeps_its_versions(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    archive("triage", now=LATER)
    with pytest.raises(AgentNotFound, match="Agent 'triage' not found"):
        get("triage")
    assert AgentVersion.objects.count() == 1
    with pytest.raises(AgentNotFound):
        archive("triage", now=LATER)
    with pytest.raises(AgentNotFound):
        set_enabled("triage", enabled=True, now=LATER)


def test_the_same_id_published_again_comes_back_with_the_next_number(make_spec: MakeSpec) -> None:
    publish(make_spec("one"), by="ada", now=NOW)
    archive("triage", now=NOW)
    result = publish(make_spec("two"), by="ada", now=LATER, must_be_new=True)
    assert (result.version.number, result.agent.enabled, result.agent.enabled_at) == (2, True, LATER)
    assert get("triage").archived_at is None


def test_the_same_content_can_come_back_from_the_archive(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    archive("triage", now=NOW)
    assert publish(make_spec(), by="ada", now=LATER).agent.enabled
    assert get("triage").enabled_at == LATER


def test_creating_an_agent_that_exists_is_refused(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    with pytest.raises(AgentExists, match="Agent 'triage' exists already"):
        publish(make_spec("other"), by="bob", now=LATER, must_be_new=True)
    assert AgentVersion.objects.count() == 1


def test_a_change_based_on_an_outdated_revision_is_refused(make_spec: MakeSpec) -> None:
    seen = publish(make_spec(), by="ada", now=NOW).agent.revision
    publish(make_spec("by bob"), by="bob", now=NOW, if_revision=seen)
    with pytest.raises(AgentChanged):
        publish(make_spec("by ada"), by="ada", now=LATER, if_revision=seen)
    assert get("triage").current_version == AgentVersion.objects.get(number=2)


def test_a_refused_new_agent_leaves_nothing_behind(make_spec: MakeSpec) -> None:
    with pytest.raises(AgentChanged):
        publish(make_spec(), by="ada", now=NOW, if_revision=3)
    assert not Agent.objects.exists()


def test_all_checks_run_and_their_problems_come_together(make_spec: MakeSpec) -> None:
    def bad_prompt(spec: AgentSpec) -> Iterator[str]:
        yield "a remark"
        raise SpecInvalid(errors=[SpecProblem("ai.prompt", f"line 1 of {spec.id} is bad")])

    def bad_policy(spec: AgentSpec) -> Iterator[str]:
        raise SpecInvalid(errors=[SpecProblem("policy.condition", "is bad")])
        yield spec.id

    with pytest.raises(SpecInvalid) as caught:
        publish(make_spec(), by="ada", now=NOW, checks=[bad_prompt, bad_policy])
    assert [problem.path for problem in caught.value.errors] == ["ai.prompt", "policy.condition"]
    assert not Agent.objects.exists()


def test_warnings_of_the_text_and_of_the_checks_come_back_together(make_spec: MakeSpec) -> None:
    def remark(spec: AgentSpec) -> Iterator[str]:
        yield f"watch: {spec.id} watches deletes without pre-images"

    odd = make_spec(ai={"model": "acme-1", "prompt": "x"})
    warnings = publish(odd, by="ada", now=NOW, checks=[remark]).warnings
    assert [warning.split(":")[0] for warning in warnings] == ["ai.model", "watch"]


def test_a_failure_after_the_publication_undoes_all_of_it(make_spec: MakeSpec) -> None:
    def fail_late() -> None:
        with transaction.atomic():
            publish(make_spec(), by="ada", now=NOW)
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        fail_late()
    assert (Agent.objects.count(), AgentVersion.objects.count()) == (0, 0)


def test_a_version_survives_a_dump_of_the_database(make_spec: MakeSpec) -> None:
    version = publish(make_spec(metadata={"b": [1.5, None], "a": "ä"}), by="ada", now=NOW).version
    (restored,) = serializers.deserialize("json", serializers.serialize("json", [version]))
    assert isinstance(restored.object, AgentVersion)
    assert list(restored.object.spec["metadata"].items()) == [("b", [1.5, None]), ("a", "ä")]


def test_a_version_can_be_neither_changed_nor_deleted(make_spec: MakeSpec) -> None:
    version = publish(make_spec(), by="ada", now=NOW).version
    version.number = 7
    with pytest.raises(VersionImmutable):
        version.save()
    with pytest.raises(VersionImmutable):
        version.delete()
    with pytest.raises(VersionImmutable):
        AgentVersion.objects.update(number=7)
    with pytest.raises(VersionImmutable):
        AgentVersion.objects.all().delete()
    assert AgentVersion.objects.get().number == 1


def _at_once(*actions: Callable[[], object]) -> list[object]:
    barrier = Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        barrier.wait(timeout=10)
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_eight_people_who_publish_at_once_make_eight_versions_in_a_row(make_spec: MakeSpec) -> None:
    def publisher(number: int) -> Callable[[], object]:
        return lambda: publish(make_spec(f"prompt {number}"), by="ada", now=NOW).version.number

    numbers = _at_once(*(publisher(number) for number in range(8)))
    assert sorted(str(number) for number in numbers) == [str(number) for number in range(1, 9)]
    assert get("triage").revision == 8


def test_eight_people_who_publish_the_same_at_once_make_one_version(make_spec: MakeSpec) -> None:
    created = _at_once(*[lambda: publish(make_spec(), by="ada", now=NOW).created] * 8)
    assert sorted(map(str, created)) == ["False"] * 7 + ["True"]
    assert AgentVersion.objects.count() == 1


def test_of_two_who_create_the_same_agent_at_once_one_is_told(make_spec: MakeSpec) -> None:
    def create(name: str) -> object:
        try:
            return publish(make_spec(name), by="ada", now=NOW, must_be_new=True).version.number
        except AgentExists:
            return "exists"

    assert sorted(map(str, _at_once(lambda: create("a"), lambda: create("b")))) == ["1", "exists"]


def test_switching_to_the_same_state_changes_nothing(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    agent = set_enabled("triage", enabled=True, now=LATER)
    assert (agent.revision, agent.enabled_at) == (1, NOW)


def test_switching_on_again_notes_the_time(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    assert set_enabled("triage", enabled=False, now=NOW).enabled_at == NOW
    agent = set_enabled("triage", enabled=True, now=LATER)
    assert (agent.enabled, agent.enabled_at, agent.revision) == (True, LATER, 3)


@pytest.mark.parametrize(
    ("reason", "health"),
    [
        (f"{STREAM_REASON}broken: no primary", Health.HEALTHY),
        (f"{COLLECTION_REASON}it is a view", Health.HEALTHY),
        (f"{UNREADABLE_REASON} version 3 of the agent", Health.HEALTHY),
        ("watch.filter cannot be evaluated: $foo", Health.UNHEALTHY),
    ],
)
def test_an_agent_that_is_watched_for_again_is_well_but_for_what_that_does_not_mend(
    make_spec: MakeSpec, reason: str, health: str
) -> None:
    publish(make_spec(), by="ada", now=NOW)
    mark_health("triage", Health.UNHEALTHY, reason)
    mark_watched(["triage"])
    assert get("triage").health == health


def test_health_is_written_only_when_it_is_news(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    assert mark_health("triage", Health.UNHEALTHY, "bad filter")
    assert not mark_health("triage", Health.UNHEALTHY, "bad filter")
    assert mark_health("triage", Health.UNHEALTHY, "another reason")
    assert mark_health("triage", Health.HEALTHY)
    assert get("triage").health_reason == ""


def test_health_is_one_of_three_words(make_spec: MakeSpec) -> None:
    publish(make_spec(), by="ada", now=NOW)
    with pytest.raises(ValueError, match="ill"):
        mark_health("triage", "ill")
