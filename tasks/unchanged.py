"""Whether the answer to exactly this input stands in the document already."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from agents_app.spec import AgentSpec
from enrichment.writeback import read_provenance
from executions_app.models import Execution
from executions_app.run import Claimed
from executions_app.states import Status
from tasks.loading import load_target
from tasks.runtime import Document, Runtime


class Standing(Enum):
    """What stands in the document for this input."""

    NOTHING = "nothing"
    SAME_INPUT = "same_input"
    OWN_WRITE = "own_write"


def standing_answer(
    runtime: Runtime, run: Claimed, spec: AgentSpec, document: Document, input_hash: str
) -> Standing:
    """Compare the fingerprint with the one that stands beside the agent's last result.

    The document is asked first, not the ledger: whoever replaces a document takes the result away with its
    provenance, and then it is to be made again. Without provenance (`include_metadata: false`) the ledger
    tells the fingerprint and the document whether the result is still there. A result of this very run is
    one whose settlement was lost.
    """
    elsewhere = spec.target_namespace != spec.watch_namespace
    holder = load_target(runtime, document["_id"], spec) if elsewhere else document
    if holder is None:
        return Standing.NOTHING
    if spec.write.include_metadata:
        entry = read_provenance(holder, spec)
        if entry is None or entry.input_hash != input_hash:
            return Standing.NOTHING
        return Standing.OWN_WRITE if entry.execution_id == run.id else Standing.SAME_INPUT
    done = Execution.objects.filter(subject=run.subject, status=Status.COMPLETED).order_by("-completed_at")
    last = done.values_list("input_hash", flat=True).first()
    same = last == input_hash and any(_present(holder, path) for path in spec.output_paths)
    return Standing.SAME_INPUT if same else Standing.NOTHING


def _present(document: Mapping[str, Any], path: str) -> bool:
    place: Any = document
    for name in path.split("."):
        if not isinstance(place, Mapping) or name not in place:
            return False
        place = place[name]
    return True
