"""A deleted document through all real processes: what it was reaches the model, and the answer another collection."""

from __future__ import annotations

from tests.acceptance.conftest import Fleet


def test_what_was_deleted_is_answered_to_in_another_collection(fleet: Fleet) -> None:
    fleet.db.create_collection("tickets")
    place = f"{fleet.db.name}.tickets"
    fleet.cli("images", "enable", place, "--yes")
    fleet.publish(
        watch={
            "operations": ["delete"],
            "filter": {"status": "open"},
            "full_document_before_change": "required",
        },
        write={"target_field": "ai", "target_collection": "audit"},
    )
    fleet.start()
    fleet.db.tickets.insert_many([{"_id": n, "text": f"ticket {n}", "status": "open"} for n in range(5)])
    fleet.db.tickets.insert_one({"_id": "closed", "text": "ticket", "status": "closed"})

    fleet.db.tickets.delete_many({})

    fleet.wait_for(lambda: fleet.db.audit.count_documents({"ai.category": {"$exists": True}}) == 5)
    fleet.wait_until_idle()
    assert sorted(
        fleet.rows("SELECT status, reason, COUNT(*) FROM executions_app_execution GROUP BY 1, 2")
    ) == [
        ("completed", "written", 5),
        ("skipped", "filter_not_matched", 1),
    ]
    prompts = fleet.rows("SELECT prompt FROM executions_app_attempt")
    assert all("ticket" in str(prompt) for (prompt,) in prompts)
