"""What is added up of the calls of one model: a value that knows nothing of where it is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from executions_app.histogram import Histogram, bucket_of


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call. `outcome` is `valid` or the code of its error; a cost of None is a price that is not known."""

    outcome: str
    latency_ms: float
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int | None


@dataclass(slots=True)
class ModelTally:
    """Sums over any number of calls, to which more are added."""

    outcomes: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    latency_ms: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0

    def count(self, call: ModelCall) -> None:
        """Count a call, a failed one too."""
        self.outcomes[call.outcome] += 1
        self.latency[bucket_of(call.latency_ms)] += 1
        self.latency_ms += round(call.latency_ms)
        self.prompt_tokens += call.prompt_tokens
        self.completion_tokens += call.completion_tokens
        self.cost_nanousd += call.cost_nanousd or 0

    def add(self, other: ModelTally) -> None:
        """Add another one's sums."""
        self.outcomes.update(other.outcomes)
        self.latency.update(other.latency)
        self.latency_ms += other.latency_ms
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.cost_nanousd += other.cost_nanousd
