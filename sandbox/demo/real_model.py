"""Real models that the demo may use, and what that may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CALLS_PER_DOCUMENT = (
    1.1  # Most documents are called once, the edited ones twice, those that do not match never.
)
_TOKENS_IN, _TOKENS_OUT = 450, 300


@dataclass(frozen=True)
class RealModel:
    """A small model of one provider; prices in US dollars per million tokens, as listed in November 2026."""

    provider: str
    name: str
    key: str
    price_in: float
    price_out: float

    def estimate_usd(self, documents: int) -> float:
        """About what a run over that many documents costs."""
        calls = documents * _CALLS_PER_DOCUMENT
        return calls * (_TOKENS_IN * self.price_in + _TOKENS_OUT * self.price_out) / 1_000_000


REAL_MODELS = (
    RealModel("openai", "gpt-4o-mini", "OPENAI_API_KEY", 0.15, 0.60),
    RealModel("anthropic", "claude-haiku-4-5", "ANTHROPIC_API_KEY", 1.00, 5.00),
    RealModel("mistral", "mistral-small-latest", "MISTRAL_API_KEY", 0.10, 0.30),
    RealModel("google", "gemini-2.5-flash", "GEMINI_API_KEY", 0.30, 2.50),
    RealModel("deepseek", "deepseek-chat", "DEEPSEEK_API_KEY", 0.28, 0.42),
    RealModel("xai", "grok-3-mini", "XAI_API_KEY", 0.30, 0.50),
    RealModel("openrouter", "openrouter/openai/gpt-4o-mini", "OPENROUTER_API_KEY", 0.15, 0.60),
)


def real_model(environ: Mapping[str, str]) -> RealModel | None:
    """The first model whose key is in the environment."""
    return next((model for model in REAL_MODELS if environ.get(model.key, "").strip()), None)
