"""What a policy would have done with the answers of past runs. Reads only, and no more than so many runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from enrichment.policy import CompiledPolicy
from enrichment.writeback import DOCUMENT_CODEC
from executions_app.identity import unpack_key
from executions_app.models import Attempt, Execution
from executions_app.mongodb import PATIENCE_MS
from executions_app.states import ENDS, Status
from executions_app.studio.documents import Document, looking

MOST: Final = 500
"""Runs that one preview looks at."""

REACH: Final = 10
"""So many times as many rows of an agent are looked through for runs that asked the model."""

VALID: Final = "valid"
WRITTEN: Final = "written"
NO_DOCUMENT: Final = "cannot be told: the document is gone"
ERASED: Final = "cannot be told: the answer is erased"


@dataclass(frozen=True, slots=True)
class Row:
    """One past run: what was done with its answer, and what the policy would do with it."""

    execution: Execution
    done: str
    would: str
    error: str = ""

    @property
    def differs(self) -> bool:
        """Whether the policy would have changed what was written."""
        told = self.would not in {NO_DOCUMENT, ERASED}
        return told and (self.done == WRITTEN) != self.would.startswith(WRITTEN)


@dataclass(frozen=True, slots=True)
class Preview:
    """Runs, those that would differ first. With `by_documents` the documents as they are now were asked."""

    rows: Sequence[Row]
    by_documents: bool

    @property
    def counts(self) -> Sequence[tuple[str, str, int]]:
        """How many were done with like this and would be done with like that, most first."""
        counted = Counter((row.done, row.would) for row in self.rows)
        return [(done, would, count) for (done, would), count in counted.most_common()]

    @property
    def differing(self) -> int:
        """How many would have ended differently."""
        return sum(row.differs for row in self.rows)


def preview(policy: CompiledPolicy, agent_ids: Iterable[str], *, limit: int) -> Preview:
    """Run a policy over the newest answers of these agents. Raises NoDocument where MongoDB is needed and away."""
    runs = _runs(agent_ids, min(limit, MOST))
    answers = _answers(runs)
    documents = _documents(runs) if policy.reads_document and runs else {}
    rows = [_row(policy, run, answers.get(run.pk), documents) for run in runs]
    return Preview(sorted(rows, key=lambda row: not row.differs), by_documents=policy.reads_document)


def _runs(agent_ids: Iterable[str], limit: int) -> list[Execution]:
    """Take each agent's newest by its index, so that no history is read as a whole."""
    found: list[Execution] = []
    for agent_id in agent_ids:
        newest = Execution.objects.filter(agent_id=agent_id).order_by("-created_at")
        near = newest.select_related("version").defer("traceback", "version__spec")[: limit * REACH]
        asked = (run for run in near if run.model_calls and run.status in ENDS)
        found += [run for run, _ in zip(asked, range(limit), strict=False)]
    return sorted(found, key=lambda run: run.created_at, reverse=True)[:limit]


def _answers(runs: Sequence[Execution]) -> dict[str, Any]:
    """The answer that each run went by: its last valid one."""
    calls = Attempt.objects.filter(execution_id__in=[run.pk for run in runs], outcome=VALID)
    return dict(calls.order_by("claim", "number").values_list("execution_id", "answer"))


def _documents(runs: Sequence[Execution]) -> Mapping[str, Document]:
    """The documents as they are now, by the subject of the run."""
    places: defaultdict[tuple[str, str], list[Execution]] = defaultdict(list)
    for run in runs:
        places[run.database, run.collection].append(run)
    found: dict[str, Document] = {}
    with looking() as client:
        for (database, name), there in places.items():
            collection = client.get_database(database).get_collection(name, codec_options=DOCUMENT_CODEC)
            for run in there:
                key = unpack_key(run.document_key)
                document = collection.find_one({"_id": {"$eq": key}}, max_time_ms=PATIENCE_MS)
                if document is not None:
                    found[run.subject] = document
    return found


def _row(policy: CompiledPolicy, run: Execution, answer: Any, documents: Mapping[str, Document]) -> Row:
    done = _done(run)
    if not isinstance(answer, dict):
        return Row(run, done, ERASED)
    document = documents.get(run.subject)
    if document is None and policy.reads_document:
        return Row(run, done, NO_DOCUMENT)
    decision = policy.decide(document or {}, answer)
    would = f"{WRITTEN}, tagged" if decision.action == "tag" and decision.write else WRITTEN
    return Row(
        run, done, would if decision.write else f"not written: {decision.reason}", decision.error or ""
    )


def _done(run: Execution) -> str:
    if run.status == Status.COMPLETED:
        return WRITTEN
    if run.status == Status.FAILED:
        return "failed"
    return f"not written: {run.reason}"
