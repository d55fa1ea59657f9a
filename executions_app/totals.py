"""All that was ever counted, by agent and by model: one row each, so that a scrape adds nothing up (ADR 0029)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from executions_app.model_tally import ModelTally
from executions_app.models import AgentTotal, ModelTotal
from executions_app.tally import Tally
from executions_app.tally_rows import COLUMNS, added_to_total

_MODEL_COLUMNS: Final = (
    "outcomes",
    "latency",
    "latency_ms",
    "prompt_tokens",
    "completion_tokens",
    "cost_nanousd",
)


def add(tallies: Mapping[tuple[datetime, str], Tally], models: Mapping[tuple[str, str], ModelTally]) -> None:
    """Add what one step has counted, in its transaction: `tallies` by hour and agent, `models` by provider and model.

    Whoever calls holds the cursor's lock, so nobody else writes these rows.
    """
    _add_agents(tallies)
    if models:
        _add_models(models)


def _add_agents(tallies: Mapping[tuple[datetime, str], Tally]) -> None:
    agents: defaultdict[str, Tally] = defaultdict(Tally)
    for (_, agent_id), tally in tallies.items():
        agents[agent_id].add(tally)
    kept = AgentTotal.objects.in_bulk(agents)
    AgentTotal.objects.bulk_create(
        [added_to_total(kept.get(agent_id), agent_id, tally) for agent_id, tally in agents.items()],
        update_conflicts=True,
        unique_fields=["agent"],
        update_fields=COLUMNS,
    )


def _add_models(models: Mapping[tuple[str, str], ModelTally]) -> None:
    providers = {provider for provider, _ in models}
    known = ModelTotal.objects.filter(provider__in=providers, model__in={model for _, model in models})
    kept = {(row.provider, row.model): row for row in known}
    ModelTotal.objects.bulk_create(
        [_with(kept.get(key), key, tally) for key, tally in models.items()],
        update_conflicts=True,
        unique_fields=["provider", "model"],
        update_fields=_MODEL_COLUMNS,
    )


def _with(row: ModelTotal | None, key: tuple[str, str], more: ModelTally) -> ModelTotal:
    total = ModelTally() if row is None else model_tally_of(row)
    total.add(more)
    provider, model = key
    return ModelTotal(
        provider=provider,
        model=model,
        outcomes=dict(total.outcomes),
        latency={str(bucket): total.latency[bucket] for bucket in sorted(total.latency)},
        latency_ms=total.latency_ms,
        prompt_tokens=total.prompt_tokens,
        completion_tokens=total.completion_tokens,
        cost_nanousd=total.cost_nanousd,
    )


def model_tally_of(row: ModelTotal) -> ModelTally:
    """Read a model's row."""
    return ModelTally(
        outcomes=Counter(row.outcomes),
        latency=Counter({int(bucket): calls for bucket, calls in row.latency.items()}),
        latency_ms=row.latency_ms,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cost_nanousd=row.cost_nanousd,
    )
