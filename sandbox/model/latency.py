"""How long the sandbox takes to answer: a fixed time or a distribution, from a seed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from random import Random

_FIXED = re.compile(r"(\d+(?:\.\d+)?)")
_UNIFORM = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_LOGNORMAL = re.compile(r"lognormal:(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Latency:
    """`kind` is fixed, uniform (`low` to `high` ms) or lognormal (median `low` ms, sigma `high`)."""

    kind: str
    low: float
    high: float
    rng: Random = field(default_factory=lambda: Random(0), compare=False, repr=False)

    def seconds(self) -> float:
        """The next answer's latency in seconds."""
        if self.kind == "uniform":
            return self.rng.uniform(self.low, self.high) / 1000
        if self.kind == "lognormal":
            return self.rng.lognormvariate(math.log(max(self.low, 1e-3)), self.high) / 1000
        return self.low / 1000


def parse_latency(text: str, *, seed: int = 0) -> Latency:
    """Reads `200`, `100-300` (uniform) or `lognormal:200:0.5` (median, sigma), in ms; raises ValueError."""
    text = text.strip()
    if found := _FIXED.fullmatch(text):
        return Latency("fixed", float(found[1]), 0.0, Random(seed))
    for kind, form in (("uniform", _UNIFORM), ("lognormal", _LOGNORMAL)):
        if found := form.fullmatch(text):
            return Latency(kind, float(found[1]), float(found[2]), Random(seed))
    raise ValueError(f"latency {text!r} is none of: 200, 100-300, lognormal:200:0.5 (milliseconds)")
