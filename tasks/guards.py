"""What stops agents that trigger each other."""

from __future__ import annotations

from agents_app import registry
from agents_app.spec import AgentSpec
from executions_app.identity import subject_of
from executions_app.models import Execution
from executions_app.run import Claimed
from executions_app.states import Status


def calls_since_user(run: Claimed, key: object) -> int:
    """Count the runs of any agent that called a model for this document since a user last changed it.

    Runs still in the air count as calls, so that two agents cannot pass the guard side by side.
    """
    subjects = {
        subject_of(agent.agent_id, run.database, run.collection, key)
        for agent in registry.active_agents()
        if agent.spec.watch_namespace == (run.database, run.collection)
    } | {run.subject}
    rows = Execution.objects.filter(subject__in=subjects)
    last_user_row = (
        rows.filter(cascade=False).order_by("-created_at").values_list("created_at", flat=True).first()
    )
    if last_user_row is not None:
        rows = rows.filter(created_at__gte=last_user_row)
    others = rows.exclude(id=run.id)
    return (
        others.filter(model_calls__gt=0).count() + others.filter(status=Status.RUNNING, model_calls=0).count()
    )


def hops_exhausted(run: Claimed, spec: AgentSpec, key: object) -> bool:
    """Tell whether this run continues a chain of agents that has used up `execution.max_hops`."""
    return run.cascade and calls_since_user(run, key) >= spec.execution.max_hops
