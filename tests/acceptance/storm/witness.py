"""What really happened: the whole history of the deployment, read again from its oplog when all is over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo import MongoClient

from tests.acceptance.storm.agents import RULES, STAGING, Document

METADATA = "_ai_metadata"
_END = "storm_end"
_EMPTYING = ("drop", "rename")


@dataclass(frozen=True, slots=True)
class Written:
    """An agent's write, as its entry in the document says. `as_of` is when its input was read."""

    agent: str
    execution: str
    input_hash: str
    as_of: Timestamp


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one document, in the order of the oplog. `written` is set where an agent made it.

    One without a key is of its whole namespace: it was dropped, or renamed, or something was renamed into it.
    """

    time: str
    namespace: str
    key: str
    operation: str
    changed: frozenset[str]
    text: str | None
    written: Written | None


@dataclass(frozen=True, slots=True)
class Saved:
    """One write of a stream's position."""

    unit: str
    position: Timestamp
    term: int
    generation: int


@dataclass(frozen=True, slots=True)
class History:
    """Everything between two moments."""

    changes: tuple[Change, ...]
    positions: tuple[Saved, ...]


def now_of(mongo: MongoClient[Document]) -> Timestamp:
    """The deployment's present cluster time."""
    time: Timestamp = mongo.admin.command("ping")["operationTime"]
    return time


def read_history(mongo: MongoClient[Document], since: Timestamp, *, home: str) -> History:
    """Read from `since` up to now."""
    watched = {rule.namespace for rule in RULES} | {".".join(STAGING)}
    watched |= {f"{rule.database}.{rule.elsewhere}" for rule in RULES if rule.elsewhere}
    changes: list[Change] = []
    positions: list[Saved] = []
    databases = {name.partition(".")[0] for name in watched} | {home, _END}
    for event in _events(mongo, since, databases):
        namespace = f"{event['ns']['db']}.{event['ns'].get('coll', '')}"
        if event["operationType"] in _EMPTYING:
            changes.extend(_emptied(event, namespace))
        elif namespace == f"{home}.resume_tokens":
            positions.extend(_saved(event))
        elif namespace in watched and "documentKey" in event:
            changes.append(_change(event, namespace))
    return History(tuple(changes), tuple(positions))


def _events(mongo: MongoClient[Document], since: Timestamp, databases: Collection[str]) -> Iterator[Document]:
    end = mongo[_END].ends.insert_one({}).inserted_id
    # Other tests on the same server may have written what cannot be decoded.
    ours = [{"$match": {"ns.db": {"$in": sorted(databases)}}}]
    with mongo.watch(ours, start_at_operation_time=since, max_await_time_ms=500) as stream:
        for event in stream:
            if event["ns"]["db"] == _END and event["documentKey"]["_id"] == end:
                return
            yield event


def _emptied(event: Document, namespace: str) -> Iterator[Change]:
    to = event.get("to")
    for place in (namespace, f"{to['db']}.{to['coll']}") if to else (namespace,):
        yield Change(
            time=pack(event["clusterTime"]),
            namespace=place,
            key="",
            operation=event["operationType"],
            changed=frozenset(),
            text=None,
            written=None,
        )


def _change(event: Document, namespace: str) -> Change:
    described: Mapping[str, Any] = event.get("updateDescription", {})
    after: Mapping[str, Any] = event.get("fullDocument") or described.get("updatedFields", {})
    changed = frozenset(described.get("updatedFields", {})) | frozenset(described.get("removedFields", ()))
    return Change(
        time=pack(event["clusterTime"]),
        namespace=namespace,
        key=str(event["documentKey"]["_id"]),
        operation=event["operationType"],
        changed=changed,
        text=after.get("text"),
        written=_written(after),
    )


def pack(time: Timestamp) -> str:
    """Write a cluster time as the ledger does: 16 hexadecimal digits."""
    return f"{time.time:08x}{time.inc:08x}"


def _written(after: Mapping[str, Any]) -> Written | None:
    """Read the entry that an agent's write leaves, in a whole document or among the fields of an update."""
    whole = after.get(METADATA)
    entries = dict(whole.get("agents", {})) if isinstance(whole, Mapping) else {}
    prefix = f"{METADATA}.agents."
    entries |= {name.removeprefix(prefix): value for name, value in after.items() if name.startswith(prefix)}
    for agent, entry in entries.items():
        return Written(agent, entry["execution_id"], entry["input_hash"], entry["as_of"])
    return None


def _saved(event: Document) -> Iterator[Saved]:
    fields = event.get("fullDocument") or event.get("updateDescription", {}).get("updatedFields", {})
    if "cluster_time" in fields:
        unit = str(event["documentKey"]["_id"])
        yield Saved(unit, fields["cluster_time"], fields.get("term", -1), fields.get("generation", -1))
