"""`mongoclaw images`, and what publishing and the doctor say where images are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.integration.mongoclaw_project.cli.conftest import Outcome, Point, Run

pytestmark = pytest.mark.once

AUDIT = """\
id: audit
name: Audit
watch:
  database: {database}
  collection: tickets
  operations: [update]
  full_document_before_change: {mode}
ai: {{provider: sandbox, model: sandbox-1, prompt: "{{{{ before.text }}}} → {{{{ document.text }}}}"}}
write: {{target_field: ai}}
"""


@pytest.fixture
def place(mongo_db: Database[Any]) -> str:
    """The full name of a collection that is there."""
    mongo_db.tickets.insert_one({"_id": 1})
    return f"{mongo_db.name}.tickets"


def keeps_images(database: Database[Any]) -> bool:
    [found] = database.list_collections(filter={"name": "tickets"})
    return bool(found["options"].get("changeStreamPreAndPostImages", {}).get("enabled"))


def test_images_are_enabled_after_asking_and_after_telling_the_cost(
    run: Run, place: str, mongo_db: Database[Any]
) -> None:
    refused = run("images", "enable", place, stdin="n\n")
    kept_after_refusal = keeps_images(mongo_db)
    agreed = run("images", "enable", place, stdin="y\n")

    assert (refused.code, kept_after_refusal) == (1, False)
    assert "config.system.preimages" in refused.err
    assert "expireAfterSeconds" in refused.err
    assert (agreed.code, keeps_images(mongo_db)) == (0, True)
    assert f"✓ Images of changes in {place} are kept" in agreed.out


def test_images_are_disabled_again(run: Run, place: str, mongo_db: Database[Any]) -> None:
    run("images", "enable", place, "--yes")
    refused = run("images", "disable", place, stdin="n\n")
    kept_after_refusal = keeps_images(mongo_db)
    agreed = run("images", "disable", place, "--yes", "--json")

    assert (refused.code, kept_after_refusal) == (1, True)
    assert (agreed.code, agreed.data["kept"], keeps_images(mongo_db)) == (0, False, False)


def test_what_is_so_already_is_not_asked_about(run: Run, place: str) -> None:
    run("images", "enable", place, "--yes")

    assert run("images", "enable", place).code == 0
    run("images", "disable", place, "--yes")
    assert run("images", "disable", place).code == 0


def test_the_status_is_told(run: Run, place: str) -> None:
    before = run("images", "status", place)
    run("images", "enable", place, "--yes")
    after = run("images", "status", place, "--json")

    assert before.out == f"Images of changes in {place} are not kept.\n"
    assert after.data == {"collection": place, "kept": True, "expire_after_seconds": "off"}


@pytest.mark.parametrize("command", ["status", "enable", "disable"])
def test_a_collection_that_is_not_there_is_named(run: Run, mongo_db: Database[Any], command: str) -> None:
    outcome = run("images", command, f"{mongo_db.name}.nowhere")

    assert outcome.code == 1
    assert f"There is no collection {mongo_db.name}.nowhere" in outcome.err


def test_half_a_name_is_a_wrong_call(run: Run) -> None:
    outcome = run("images", "status", "tickets")

    assert outcome.code == 2
    assert "DATABASE.COLLECTION" in outcome.err


def test_what_can_keep_no_images_is_refused(run: Run, mongo_db: Database[Any]) -> None:
    mongo_db.create_collection("readings", timeseries={"timeField": "at"})

    outcome = run("images", "enable", f"{mongo_db.name}.readings", "--yes")

    assert outcome.code == 1
    assert "is a time-series collection" in outcome.err


def test_a_server_that_is_away_is_named(run: Run, point: Point) -> None:
    point(MONGODB__URI="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")

    outcome = run("images", "status", "shop.orders")

    assert outcome.code == 1
    assert "cannot be reached" in outcome.err


def publish(run: Run, verb: str, folder: Path, database: str, mode: str) -> Outcome:
    path = folder / "audit.yaml"
    path.write_text(AUDIT.format(database=database, mode=mode))
    return run("agents", verb, "-f", str(path))


def collections(run: Run) -> list[tuple[str, str, str | None]]:
    return [
        (finding["level"], finding["message"], finding["remedy"])
        for finding in run("doctor", "--json").data["findings"]
        if finding["area"] == "Collections"
    ]


@pytest.mark.parametrize(("mode", "level"), [("required", "fail"), ("whenAvailable", "warn")])
def test_publishing_and_the_doctor_name_the_command_that_enables_images(
    run: Run, place: str, tmp_path: Path, mongo_db: Database[Any], mode: str, level: str
) -> None:
    published = publish(run, "create", tmp_path, mongo_db.name, mode)
    [before] = collections(run)
    run("images", "enable", place, "--yes")
    again = publish(run, "update", tmp_path, mongo_db.name, mode)
    after = collections(run)

    command = f"`mongoclaw images enable {place}`"
    assert (
        f"watch.full_document_before_change: {place} keeps no images of changes; {command}" in published.err
    )
    assert (before[0], before[2]) == (level, f"let it keep them: {command}")
    assert "keeps no images" not in again.err
    assert after == [("ok", f"{place} keeps images of changes", None)]


@pytest.mark.parametrize("kind", ["a view", "a time-series collection", "a capped collection"])
def test_what_cannot_be_watched_is_refused_and_later_found_by_the_doctor(
    run: Run, agent_file: Path, mongo_db: Database[Any], kind: str
) -> None:
    published_early = run("agents", "create", "-f", str(agent_file))
    if kind == "a view":
        mongo_db.create_collection("tickets", viewOn="others", pipeline=[])
    elif kind == "a capped collection":
        mongo_db.create_collection("tickets", capped=True, size=10_000)
    else:
        mongo_db.create_collection("tickets", timeseries={"timeField": "at"})
    refused = run("agents", "update", "-f", str(agent_file))
    [found] = collections(run)

    assert published_early.code == 0
    assert refused.code == 1
    assert f"watch.collection: 'tickets' is {kind}" in refused.err
    assert (found[0], kind in found[1]) == ("fail", True)
    assert "support" in str(found[2])
