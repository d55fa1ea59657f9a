"""An independent record of what happened to the documents: MongoDB's own change history, read by the demo."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bson import json_util
from pymongo import MongoClient

from sandbox.demo.documents import Document, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

METADATA = "_ai_metadata"


@dataclass
class History:
    """One document's changes in order: `insert`, `edit`, `glance`, `delete` or `result:<input hash>`."""

    namespace: Namespace
    document_id: Any
    events: list[str] = field(default_factory=list)

    def results(self) -> list[str]:
        """The input hashes of the results that were written, in order."""
        return [event.removeprefix("result:") for event in self.events if event.startswith("result:")]


class Witness:
    """Reads a change stream of its own on a thread, from its creation until `stop`."""

    def __init__(
        self, uri: str, namespaces: Iterable[Namespace], text_fields: Mapping[Namespace, str]
    ) -> None:
        self._client = MongoClient[Document](uri)
        self._text_fields = dict(text_fields)
        self._histories: dict[str, History] = {}
        self._hashes: defaultdict[str, str] = defaultdict(str)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        wanted = [{"ns.db": one.database, "ns.coll": one.collection} for one in namespaces]
        self._stream = self._client.watch([{"$match": {"$or": wanted}}], max_await_time_ms=200)
        self._thread = threading.Thread(target=self._read, name="witness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops reading, once nothing more is to come."""
        self._stopping.set()
        self._thread.join(10)
        self._client.close()

    def histories(self) -> list[History]:
        """What is known so far."""
        with self._lock:
            return [
                History(one.namespace, one.document_id, list(one.events)) for one in self._histories.values()
            ]

    def _read(self) -> None:
        with self._stream as stream:
            while stream.alive:
                change = stream.try_next()
                if change is not None:
                    self._note(change)
                elif self._stopping.is_set():
                    return

    def _note(self, change: Mapping[str, Any]) -> None:
        namespace = Namespace(change["ns"]["db"], change["ns"]["coll"])
        document_id = change["documentKey"]["_id"]
        key = f"{namespace} {json_util.dumps(document_id)}"
        event = self._event(change, namespace, key)
        with self._lock:
            self._histories.setdefault(key, History(namespace, document_id)).events.append(event)

    def _event(self, change: Mapping[str, Any], namespace: Namespace, key: str) -> str:
        operation = str(change["operationType"])
        if operation != "update":
            return operation
        updated = change["updateDescription"]["updatedFields"]
        if any(path.partition(".")[0] == METADATA for path in updated):
            # A hash that was set to what it was need not be in the event.
            self._hashes[key] = _input_hash(updated) or self._hashes[key]
            return f"result:{self._hashes[key]}"
        return "edit" if self._text_fields[namespace] in updated or "status" in updated else "glance"


def _input_hash(updated: Mapping[str, Any]) -> str | None:
    for path, value in updated.items():
        if path.endswith(".input_hash"):
            return str(value)
        if isinstance(value, dict):
            found = _input_hash({f"{path}.{name}": inner for name, inner in value.items()})
            if found is not None:
                return found
    return None
