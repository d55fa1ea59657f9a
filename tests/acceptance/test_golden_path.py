"""One document through all real processes, and what its owner sees of it."""

from __future__ import annotations

import json

import pytest
from bson import Binary, Decimal128, ObjectId

from tests.acceptance.conftest import ON_RABBITMQ_TOO, SCHEMA, Fleet


@ON_RABBITMQ_TOO
@pytest.mark.sql
def test_an_inserted_document_is_enriched_and_says_by_whom(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()

    key = fleet.db.tickets.insert_one({"text": "The invoice is wrong"}).inserted_id
    fleet.wait_for(fleet.enriched)

    document = fleet.db.tickets.find_one({"_id": key}) or {}
    assert document["ai"]["category"] in SCHEMA["properties"]["category"]["enum"]
    assert document["_ai_metadata"]["source_agent_id"] == "support"
    assert document["_ai_metadata"]["agents"]["support"]["version"] == 1
    fleet.wait_until_idle()
    assert fleet.model.calls()["total"] == 1
    assert fleet.rows("SELECT status, reason FROM executions_app_execution") == [("completed", "written")]
    assert fleet.rows("SELECT health FROM agents_app_agent") == [("healthy",)]


def test_documents_inserted_while_nothing_runs_are_enriched_once_it_does(fleet: Fleet) -> None:
    fleet.publish()
    fleet.insert(20)

    fleet.start()

    fleet.wait_for(lambda: fleet.enriched() == 20)


def test_the_watcher_starts_with_no_agents_and_takes_up_the_first_within_two_seconds(fleet: Fleet) -> None:
    fleet.start()
    fleet.publish()

    fleet.insert(1)

    fleet.wait_for(lambda: fleet.enriched() == 1, seconds=5)


def test_ids_of_every_kind_are_enriched(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    keys = [
        ObjectId(),
        "5f" * 12,
        0,
        7,
        1.5,
        {"tenant": 1},
        Decimal128("7.5"),
        Binary(b"k", 5),
        True,
        None,
        "",
    ]

    fleet.db.tickets.insert_many(
        [{"_id": key, "text": f"ticket {number}"} for number, key in enumerate(keys)]
    )

    fleet.wait_for(lambda: fleet.enriched() == len(keys))


def test_documents_that_do_not_match_are_left_alone(fleet: Fleet) -> None:
    fleet.publish(watch={"filter": {"status": "open"}})
    fleet.start()

    fleet.db.tickets.insert_many(
        [{"text": f"t{n}", "status": "open" if n % 2 else "closed"} for n in range(40)]
    )

    fleet.wait_for(lambda: fleet.enriched() == 20)
    fleet.wait_until_idle()
    assert fleet.db.tickets.count_documents({"status": "closed", "ai": {"$exists": True}}) == 0
    assert fleet.model.calls()["total"] == 20


def test_ten_edits_of_one_waiting_document_are_one_call_on_the_newest_state(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start_watcher()
    [key] = fleet.insert(1)
    for number in range(10):
        fleet.db.tickets.update_one({"_id": key}, {"$set": {"text": f"edit {number}"}})
    fleet.wait_for(lambda: fleet.count("SELECT count(*) FROM executions_app_execution"))

    fleet.start_worker()

    fleet.wait_for(fleet.enriched)
    fleet.wait_until_idle()
    prompts = [call["prompt"] for call in fleet.model.log()]
    assert len(prompts) == 1
    assert "edit 9" in prompts[0]


def test_an_edit_that_the_prompt_does_not_use_costs_no_call(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    [key] = fleet.insert(1)
    fleet.wait_for(fleet.enriched)

    fleet.db.tickets.update_one({"_id": key}, {"$set": {"assigned_to": "Ann"}})

    query = "SELECT count(*) FROM executions_app_execution WHERE reason = 'unchanged_input'"
    fleet.wait_for(lambda: fleet.count(query) == 1)
    assert fleet.model.calls()["total"] == 1


def test_an_edit_of_what_the_prompt_uses_is_enriched_anew(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    [key] = fleet.insert(1)
    fleet.wait_for(fleet.enriched)

    fleet.db.tickets.update_one({"_id": key}, {"$set": {"text": "Now the app crashes"}})

    fleet.wait_for(lambda: fleet.model.calls()["total"] == 2)


def test_two_agents_that_watch_each_others_output_stop_at_max_hops(fleet: Fleet) -> None:
    for name, other in (("ping", "pong"), ("pong", "ping")):
        fleet.publish(
            id=name,
            ai={
                "prompt": "{{ document.text }} {{ (document."
                + other
                + " | default({})).summary | default('') }}"
            },
            write={"target_field": name},
            execution={"max_hops": 4},
        )
    fleet.start()
    fleet.insert(1)

    # Idle alone proves nothing: between a write and its event no row waits.
    refused = "SELECT count(*) FROM executions_app_execution WHERE reason = 'max_hops'"
    fleet.wait_for(lambda: fleet.count(refused) >= 1)
    fleet.wait_until_idle()

    assert fleet.model.calls()["total"] <= 4
    reasons = {row[0] for row in fleet.rows("SELECT DISTINCT reason FROM executions_app_execution")}
    assert "max_hops" in reasons
    assert reasons <= {"written", "max_hops", "unchanged_input", "superseded"}


def test_a_new_prompt_and_a_switched_off_agent_take_effect_without_a_restart(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    fleet.insert(1)
    fleet.wait_for(fleet.enriched)

    fleet.publish(ai={"prompt": "Quite another prompt: {{ document.text }}"})
    later = iter(range(1, 1000))

    def another_prompt_is_used() -> bool:
        fleet.insert(1, start=next(later))
        return any("Quite another prompt" in call["prompt"] for call in fleet.model.log())

    fleet.wait_for(another_prompt_is_used, seconds=3)
    fleet.wait_until_idle()

    fleet.cli("agents", "disable", "support")
    fleet.wait_for(lambda: fleet.count("SELECT count(*) FROM agents_app_agent WHERE NOT enabled") == 1)
    calls = fleet.model.calls()["total"]
    fleet.publish(id="other", watch={"collection": "others"})
    fleet.wait_for(lambda: fleet.log("watcher").count("stream.opened") >= 3)
    fleet.insert(5, start=1000)
    fleet.db.others.insert_one({"text": "a marker that comes after them"})
    fleet.wait_for(lambda: fleet.db.others.count_documents({"ai": {"$exists": True}}))
    assert fleet.model.calls()["total"] == calls + 1


def test_a_filter_that_mongodb_cannot_evaluate_is_refused_and_disturbs_nobody(fleet: Fleet) -> None:
    fleet.publish()
    fleet.start()
    spec = fleet.spec(id="broken", watch={"filter": {"text": {"$regex": "("}}})
    path = fleet.directory / "broken.json"
    path.write_text(json.dumps(spec))
    refused = fleet.cli("agents", "create", "-f", str(path), check=False)

    assert refused.returncode != 0
    assert "watch.filter" in refused.stderr
    fleet.insert(3)
    fleet.wait_for(lambda: fleet.enriched() == 3)
