"""Telling a provider's outage from one document's bad luck, by what the ledger has seen."""

from __future__ import annotations

from typing import Final

from agents_app.errors import Decision
from enrichment.errors import ProviderError
from executions_app.models import Attempt, Execution
from executions_app.states import Status
from executions_app.transitions import Claimed

_PASSING: Final = {Decision.RETRY, Decision.DEFER}


def _transient_codes() -> frozenset[str]:
    """Name the provider errors that may pass by themselves."""
    family, codes = [ProviderError], set()
    while family:
        error = family.pop()
        family += error.__subclasses__()
        if error.decision in _PASSING:
            codes.add(error.code)
    return frozenset(codes)


def provider_is_down(run: Claimed) -> bool:
    """Tell whether other runs of the same agent fail too while none has succeeded since this row's first call."""
    first_call = (
        Attempt.objects.filter(execution_id=run.id)
        .order_by("started_at")
        .values_list("started_at", flat=True)
        .first()
    )
    if first_call is None:
        return False
    same_agent = Attempt.objects.filter(execution__agent_id=run.agent_id, started_at__gte=first_call)
    if same_agent.filter(outcome="valid").exists():
        return False
    waiting = Execution.objects.filter(
        agent_id=run.agent_id, status=Status.PENDING, error_type__in=_transient_codes()
    )
    return waiting.exclude(id=run.id).exists()
