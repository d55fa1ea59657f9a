"""Reading the ledger for people: lists, searches and the trace of one execution."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from bson import ObjectId, json_util
from bson.errors import BSONError
from django.db.models import QuerySet

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.models import AgentVersion
from executions_app import holds
from executions_app.identity import subject_of
from executions_app.listing import Wanted, narrowed, within_reach
from executions_app.models import Attempt, Execution
from executions_app.states import Slot, Status
from executions_app.timeline import Step, timeline

SHORTEST_PREFIX: Final = 6
RECENT: Final = 2_000
_LIST_OMITS: Final = ("traceback", "document_key")


class ExecutionNotFound(MongoClawError):
    """There is no such execution."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "execution_not_found"


class ExecutionAmbiguous(MongoClawError):
    """Several executions begin with this."""

    code: ClassVar[str] = "execution_ambiguous"


@dataclass(frozen=True, slots=True)
class Trace:
    """One execution with all that is known about it. `waits_behind` is the run that holds its document."""

    execution: Execution
    calls: tuple[Attempt, ...]
    steps: tuple[Step, ...]
    waits_behind: str | None


def newest(
    *, agent_id: str | None = None, status: str | None = None, reason: str | None = None, limit: int
) -> list[Execution]:
    """List executions, newest first, with their agents, and without the long texts."""
    wanted = Wanted(agent_id=agent_id, status=status, reason=reason)
    return list(
        narrowed(listed(Execution.objects.all()), wanted).order_by("-created_at", "-sequence")[:limit]
    )


def listed(rows: QuerySet[Execution]) -> QuerySet[Execution]:
    """Prepare rows for a list: agent and version come along, texts that no list shows stay behind."""
    return rows.select_related("agent", "version").defer(*_LIST_OMITS, "version__spec")


def find(id_or_prefix: str) -> Execution:
    """Find an execution by its id, or by the beginning of it.

    Raises ExecutionNotFound, ExecutionAmbiguous.
    """
    text = id_or_prefix.strip().lower()
    rows = Execution.objects.select_related("agent", "version")
    exact = rows.filter(id=text).first()
    if exact is not None:
        return exact
    if len(text) < SHORTEST_PREFIX:
        raise ExecutionNotFound(
            f"Execution '{id_or_prefix}' not found; give its id, or its first {SHORTEST_PREFIX} or more"
        )
    found = list(rows.filter(id__gte=text, id__lt=text + "g")[:2])
    if not found:
        raise ExecutionNotFound(f"Execution '{id_or_prefix}' not found")
    if len(found) > 1:
        raise ExecutionAmbiguous(f"Several executions begin with '{id_or_prefix}'; give more characters")
    return found[0]


def trace(execution: Execution) -> Trace:
    """Gather the calls of an execution and its story."""
    calls = tuple(execution.attempt_set.all())
    holder = hold = None
    if execution.status == Status.PENDING:
        running = Execution.objects.filter(subject=execution.subject, slot=Slot.RUNNING)
        holder = running.values_list("id", flat=True).first()
        hold = holds.in_force().of(execution.agent_id)
    story = timeline(
        execution,
        calls,
        tuple(execution.requeues.all()),
        interventions=tuple(execution.interventions.all()),
        hold=hold,
    )
    return Trace(execution, calls, story, holder)


def search(rows: QuerySet[Execution], text: str) -> QuerySet[Execution]:
    """Narrow rows to those that `text` names.

    1. An execution's id, or as much of its beginning as lists show.
    2. A document's `_id`, as people write it. Rows are found by the hash of agent and document, which is
       indexed; the text itself cannot be, because an `_id` may be longer than an index entry.
    3. Failing both, the beginning of a document's `_id`, among the newest rows: no index has it.
    """
    start = text.lower()
    if len(start) >= SHORTEST_PREFIX:
        by_id = rows.filter(id__gte=start, id__lt=start + "g")
        if by_id.exists():
            return by_id
    by_document = rows.filter(subject__in=list(_subjects(text)))
    if by_document.exists():
        return by_document
    return within_reach(rows).filter(document_id__startswith=text)


def recent_reasons(*, only: Collection[str] | None = None) -> list[str]:
    """Name the reasons that the newest rows carry, those of agents among `only`, without reading the whole table."""
    newest_rows = Execution.objects.order_by("-created_at").values_list("agent_id", "reason")[:RECENT]
    return sorted({reason for agent, reason in newest_rows if reason and (only is None or agent in only)})


def _subjects(text: str) -> Iterator[str]:
    versions = AgentVersion.objects.order_by().values_list("agent_id", "id")
    specs = ((agent_id, registry.readable(version_id)) for agent_id, version_id in versions)
    watched = {(agent_id, *spec.watch_namespace) for agent_id, spec in specs if spec is not None}
    keys = list(keys_of(text))
    for agent_id, database, collection in watched:
        for key in keys:
            yield subject_of(agent_id, database, collection, key)


def keys_of(text: str) -> Iterator[Any]:
    """The `_id`s that are written like this."""
    yield text
    if ObjectId.is_valid(text):
        yield ObjectId(text)
    try:
        yield json_util.loads(text)
    except (ValueError, TypeError, BSONError):
        return
