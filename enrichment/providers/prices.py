"""What a call costs, in billionths of a US dollar.

The prices are the table that litellm ships, read as a file: importing the library costs 150 MB, and an image may
hold the table without it. A model that is not in the table has no price, which is not the same as costing nothing.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_FILE = "model_prices_and_context_window_backup.json"
_NANO = 1_000_000_000
_TIER = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token, and the dearer tiers (above how many prompt tokens, in, out), highest first."""

    vendor: str
    input: float
    output: float
    tiers: tuple[tuple[int, float, float], ...] = ()

    def cost(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Return the cost in nano-USD, rounded up. Cached input is charged in full: never too little."""
        rates = (self.input, self.output)
        for threshold, dearer_input, dearer_output in self.tiers:
            if prompt_tokens > threshold:
                rates = (dearer_input, dearer_output)
                break
        exact = (prompt_tokens * rates[0] + completion_tokens * rates[1]) * _NANO
        return math.ceil(
            exact - 1e-6
        )  # 1.5e-07 is not exact in binary: without the slack 15 000 becomes 15 001


def price_of(model: str, *, vendor: str = "") -> Price | None:
    """Return the price of `model` at `vendor` (litellm's names for both), or None if it is not known."""
    table = _table()
    found = table.get(model) or (table.get(f"{vendor}/{model}") if vendor else None)
    if found is not None:
        return found
    prefix, _, bare = model.partition("/")
    # The table lists OpenAI's and Anthropic's models without a prefix; another vendor's price must not be
    # taken for theirs.
    found = table.get(bare) if bare else None
    return found if found is not None and found.vendor == prefix else None


def cost_of(model: str, prompt_tokens: int, completion_tokens: int, *, vendor: str = "") -> int | None:
    """Return the cost of a call in nano-USD, or None if the price is not known."""
    price = price_of(model, vendor=vendor)
    return None if price is None else price.cost(prompt_tokens, completion_tokens)


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Price]:
    try:
        entries = json.loads((_folder() / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    prices = ((name, _price(entry)) for name, entry in entries.items())
    return {name: price for name, price in prices if price is not None}


def _folder() -> Path:
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return Path(sys.prefix) / "share/mongoclaw"  # where the Dockerfile puts it
    return Path(spec.submodule_search_locations[0])


def _price(entry: Mapping[str, Any]) -> Price | None:
    into, out = _rate(entry.get("input_cost_per_token")), _rate(entry.get("output_cost_per_token"))
    if into is None or out is None:
        return None
    tiers: list[tuple[int, float, float]] = []
    for key, value in entry.items():
        match = _TIER.fullmatch(key)
        dearer = _rate(value) if match else None
        if match and dearer is not None:
            beyond = _rate(entry.get(f"output_cost_per_token_above_{match[1]}k_tokens"))
            tiers.append((int(match[1]) * 1000, dearer, out if beyond is None else beyond))
    return Price(entry.get("litellm_provider", ""), into, out, tuple(sorted(tiers, reverse=True)))


def _rate(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    return None
