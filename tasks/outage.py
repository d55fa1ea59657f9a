"""Telling a provider's outage from one document's bad luck, by what the ledger has seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from agents_app.errors import Decision
from enrichment.errors import ProviderError
from executions_app.models import Attempt, Execution
from executions_app.run import Claimed
from executions_app.states import Status

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
    """Tell whether other runs of the same agent fail too while none succeeds.

    What counts as a success began after this row's first failed call had ended: a short call that slipped
    through before the outage proves nothing.
    """
    failed = (
        Attempt.objects.filter(execution_id=run.id).exclude(outcome="valid").order_by("started_at").first()
    )
    if failed is None:
        return False
    ended_at = failed.started_at + timedelta(milliseconds=failed.latency_ms)
    later = Attempt.objects.filter(started_at__gte=ended_at, outcome="valid")
    if later.filter(execution__agent_id=run.agent_id).exists():
        return False
    waiting = Execution.objects.filter(
        agent_id=run.agent_id, status=Status.PENDING, error_type__in=_transient_codes()
    )
    return waiting.exclude(id=run.id).exists()
