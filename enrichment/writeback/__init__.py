"""Writes an answer into MongoDB: one conditional update, planned first and then applied.

1. `targets` maps the answer to the fields that the agent declares.
2. `provenance` records the run and fences off what is written already or older; `inputs` asks that what was
   read still holds.
3. `plan` makes one update of them.
4. `apply` sends it and says what became of it; `obstacles` are values in its way.
"""

from __future__ import annotations

from enrichment.writeback.apply import DOCUMENT_CODEC, WriteResult, apply_write
from enrichment.writeback.inputs import ReadState
from enrichment.writeback.plan import WritePlan, plan_write
from enrichment.writeback.provenance import Provenance, Trace, entry_path, read_provenance
from enrichment.writeback.targets import hidden_roots

__all__ = [
    "DOCUMENT_CODEC",
    "Provenance",
    "ReadState",
    "Trace",
    "WritePlan",
    "WriteResult",
    "apply_write",
    "entry_path",
    "hidden_roots",
    "plan_write",
    "read_provenance",
]
