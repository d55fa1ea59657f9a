"""The calls of models, from the totals. The contract's names and those of MYCA are of the same figures."""

from __future__ import annotations

from typing import Final

from executions_app.metrics.metric import Kind, Metric, Source

_BY_MODEL: Final = ("provider", "model")
_BUCKETS: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60)

REQUESTS: Final = Metric(
    "ai_requests_total",
    Kind.COUNTER,
    Source.FLEET,
    "Calls of models: success is a valid answer, anything else a failure.",
    (*_BY_MODEL, "status"),
    contract=True,
)
SECONDS: Final = Metric(
    "ai_request_duration_seconds",
    Kind.HISTOGRAM,
    Source.FLEET,
    "How long calls took. Kept in finer buckets, so these are estimates.",
    _BY_MODEL,
    _BUCKETS,
    contract=True,
)
TOKENS: Final = Metric(
    "ai_tokens_total",
    Kind.COUNTER,
    Source.FLEET,
    "Tokens: prompt, completion.",
    (*_BY_MODEL, "type"),
    contract=True,
)
COST: Final = Metric(
    "ai_cost_usd_total",
    Kind.COUNTER,
    Source.FLEET,
    "What calls cost whose price is known.",
    _BY_MODEL,
    contract=True,
)
LLM_REQUESTS: Final = Metric(
    "llm_requests_total",
    Kind.COUNTER,
    Source.FLEET,
    "Calls of models, by `valid` or the code of their error.",
    (*_BY_MODEL, "outcome"),
)
LLM_SECONDS: Final = Metric(
    "llm_request_duration_seconds",
    Kind.HISTOGRAM,
    Source.FLEET,
    "The same as ai_request_duration_seconds.",
    _BY_MODEL,
    _BUCKETS,
)
LLM_TOKENS: Final = Metric(
    "llm_tokens_total", Kind.COUNTER, Source.FLEET, "The same as ai_tokens_total.", (*_BY_MODEL, "type")
)
