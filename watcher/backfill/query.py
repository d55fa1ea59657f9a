"""One `find` with all its replies, as they lie in MongoDB."""

from __future__ import annotations

from typing import Any

from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference

from watcher.backfill.key import RAW

Document = dict[str, Any]


def find_all(
    client: MongoClient[Document], database: str, command: Document
) -> tuple[list[RawBSONDocument], Timestamp]:
    """Ask the primary; returns the documents and the cluster time of the answer.

    A reply ends at 16 MB, which is not the end of what was asked for. Raises pymongo's errors.
    """
    found: list[RawBSONDocument] = []
    # The server ties a cursor to the session that opened it, and the driver lends its own to any thread.
    with client.start_session(causal_consistency=False) as session:
        asked = command
        while True:
            reply = client.get_database(database).command(
                asked, codec_options=RAW, read_preference=ReadPreference.PRIMARY, session=session
            )
            cursor = reply["cursor"]
            found += cursor["firstBatch"] if "firstBatch" in cursor else cursor["nextBatch"]
            if not cursor["id"]:
                return found, reply["operationTime"]
            asked = {"getMore": cursor["id"], "collection": command["find"]}
