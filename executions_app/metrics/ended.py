"""What has ended and what was called, from the totals: as many rows as there are agents and models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from executions_app.cost import NANO
from executions_app.histogram import estimated_sum, within
from executions_app.metrics.declared import fleet, models
from executions_app.metrics.metric import Distribution, Family, Metric, Value, family, histogram_family
from executions_app.metrics.names import OTHER, Names, summed
from executions_app.model_tally import ModelTally
from executions_app.models import AgentTotal, ModelTotal
from executions_app.states import Reason, Status
from executions_app.tally import Tally
from executions_app.tally_rows import tally_of
from executions_app.totals import model_tally_of

SECOND: Final = 1000
"""Milliseconds."""

ENDS: Final = {Status.COMPLETED: "success", Status.FAILED: "failure", Status.SKIPPED: "skipped"}
"""How runs end, in the contract's words."""

_SIMULATED: Final = "policy_simulation_"

_NUMBERS: Final[Mapping[Metric, Callable[[Tally], float]]] = {
    fleet.SLO_VIOLATIONS: lambda tally: tally.ends[Status.COMPLETED] - tally.within_slo,
    fleet.LOOP_GUARD: lambda tally: tally.skips[Reason.MAX_HOPS],
    fleet.SHADOW_SKIPS: lambda tally: sum(
        runs
        for reason, runs in tally.skips.items()
        if reason == Reason.SHADOW_MODE or reason.startswith(_SIMULATED)
    ),
    fleet.VERSION_CONFLICTS: lambda tally: tally.skips["strict_version_conflict"],
    fleet.HASH_CONFLICTS: lambda tally: tally.skips["hash_conflict"],
    fleet.MODEL_CALLS: lambda tally: tally.model_calls,
    fleet.TOKENS: lambda tally: tally.tokens,
    fleet.COST: lambda tally: tally.cost_nanousd / NANO,
    fleet.UNPRICED_CALLS: lambda tally: tally.unpriced_calls,
}


def of_agents(names: Names) -> Iterator[Family]:
    """Compute what is told by agent. Raises Django's database errors."""
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for row in AgentTotal.objects.order_by("agent_id"):
        tallies[names(row.agent_id)].add(tally_of(row))
    for metric, number in _NUMBERS.items():
        yield family(metric, (((agent,), number(tally)) for agent, tally in tallies.items()))
    yield family(
        fleet.EXECUTIONS,
        (((agent, ENDS[end]), tally.ends[end]) for agent, tally in tallies.items() for end in ENDS),
    )
    yield family(fleet.FAILED_RUNS, _by_reason((agent, tally.failures) for agent, tally in tallies.items()))
    yield family(fleet.SKIPPED_RUNS, _by_reason((agent, tally.skips) for agent, tally in tallies.items()))
    for metric, histogram in _HISTOGRAMS.items():
        yield histogram_family(
            metric, (((agent,), histogram(metric, tally)) for agent, tally in tallies.items())
        )


def _by_reason(counted: Iterator[tuple[str, Mapping[str, int]]]) -> Iterator[Value]:
    for agent, reasons in counted:
        for reason, runs in sorted(reasons.items()):
            yield (agent, reason), runs


def distribution(metric: Metric, histogram: Mapping[int, int], total_ms: float) -> Distribution:
    """Put a histogram of ours into the metric's buckets, which are coarser."""
    bounds = tuple(within(histogram, bound * SECOND) for bound in metric.buckets)
    return Distribution(bounds, sum(histogram.values()), total_ms / SECOND)


_HISTOGRAMS: Final[Mapping[Metric, Callable[[Metric, Tally], Distribution]]] = {
    fleet.DURATION: lambda metric, tally: distribution(metric, tally.running, tally.running_ms),
    fleet.LATENCY: lambda metric, tally: distribution(metric, tally.latency, estimated_sum(tally.latency)),
    fleet.WAITED: lambda metric, tally: distribution(metric, tally.waiting, estimated_sum(tally.waiting)),
}


def of_models(limit: int) -> Iterator[Family]:
    """Compute what is told by provider and model. Raises Django's database errors."""
    tallies: defaultdict[tuple[str, str], ModelTally] = defaultdict(ModelTally)
    for place, row in enumerate(ModelTotal.objects.order_by("id")):
        tallies[(row.provider, row.model) if place < limit else (OTHER, OTHER)].add(model_tally_of(row))
    outcomes = [
        ((*key, outcome), calls)
        for key, tally in tallies.items()
        for outcome, calls in tally.outcomes.items()
    ]
    yield family(models.LLM_REQUESTS, outcomes)
    yield family(
        models.REQUESTS,
        summed(((*key, _status(outcome)), calls) for (*key, outcome), calls in outcomes),
    )
    yield family(models.COST, ((key, tally.cost_nanousd / NANO) for key, tally in tallies.items()))
    for metric in (models.TOKENS, models.LLM_TOKENS):
        yield family(metric, (value for key, tally in tallies.items() for value in _tokens(key, tally)))
    for metric in (models.SECONDS, models.LLM_SECONDS):
        yield histogram_family(
            metric,
            ((key, distribution(metric, tally.latency, tally.latency_ms)) for key, tally in tallies.items()),
        )


def _tokens(key: tuple[str, str], tally: ModelTally) -> Iterator[Value]:
    yield (*key, "prompt"), tally.prompt_tokens
    yield (*key, "completion"), tally.completion_tokens


def _status(outcome: str) -> str:
    return "success" if outcome == "valid" else "failure"
