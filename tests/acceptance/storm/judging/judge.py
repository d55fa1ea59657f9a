"""The verdict: what documents, ledger, oplog and the model's own account say, held against each other."""

from __future__ import annotations

from tests.acceptance.storm.evidence import Evidence
from tests.acceptance.storm.judging.calls import judge_calls
from tests.acceptance.storm.judging.documents import judge_documents
from tests.acceptance.storm.judging.rows import judge_rows
from tests.acceptance.storm.judging.verdict import Verdict
from tests.acceptance.storm.judging.writes import judge_positions, judge_writes


def judge(evidence: Evidence) -> Verdict:
    """Compare everything. The system is at rest, or was given up waiting for."""
    verdict = Verdict()
    judge_documents(evidence, verdict)
    judge_rows(evidence, verdict)
    judge_writes(evidence, verdict)
    judge_positions(evidence.history, verdict)
    judge_calls(evidence, verdict)
    if not evidence.acknowledged:
        verdict.stuck.append("nothing was written that MongoDB has acknowledged")
    if not evidence.calls:
        verdict.stuck.append("the model was never asked")
    verdict.stuck.extend(f"not struck: {how}" for how in evidence.ended)
    verdict.stuck.extend(f"nobody holds {held}" for held in evidence.nobodys)
    verdict.stuck.extend(f"the position of {database} does not move on" for database in evidence.unmoved)
    return verdict
