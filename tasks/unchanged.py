"""Whether the answer to exactly this input stands in the document already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents_app.spec import AgentSpec
from enrichment.writeback import read_provenance
from executions_app.models import Execution
from executions_app.states import Status
from executions_app.transitions import Claimed
from tasks.loading import load_target
from tasks.runtime import Document, Runtime


def is_current(
    runtime: Runtime, run: Claimed, spec: AgentSpec, document: Document, key: object, input_hash: str
) -> bool:
    """Compare the fingerprint with the one that stands beside the agent's last result.

    The document is asked first, not the ledger: whoever replaces a document takes the result away with its
    provenance, and then it is to be made again. Without provenance (`include_metadata: false`) the ledger tells the
    fingerprint and the document whether the result is still there.
    """
    elsewhere = spec.target_namespace != spec.watch_namespace
    holder = load_target(runtime, key, spec) if elsewhere else document
    if holder is None:
        return False
    if spec.write.include_metadata:
        entry = read_provenance(holder, spec)
        return entry is not None and entry.input_hash == input_hash
    done = Execution.objects.filter(subject=run.subject, status=Status.COMPLETED).order_by("-completed_at")
    last = done.values_list("input_hash", flat=True).first()
    return last == input_hash and any(_present(holder, path) for path in spec.output_paths)


def _present(document: Mapping[str, Any], path: str) -> bool:
    place: Any = document
    for name in path.split("."):
        if not isinstance(place, Mapping) or name not in place:
            return False
        place = place[name]
    return True
