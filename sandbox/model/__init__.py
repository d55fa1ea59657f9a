"""A stand-in for a language model: an OpenAI-compatible server with deterministic, schema-valid answers."""

from __future__ import annotations

MODEL_NAME = "sandbox-no-language-model"
NOTICE = (
    "This is the MongoClaw sandbox. It is no language model: its answers are computed from a hash of "
    "the prompt and fit the schema, but they mean nothing."
)
