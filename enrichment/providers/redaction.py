"""What a provider says about an error, without keys and without the prompt that it may quote."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 300  # characters of a provider's text that are kept
_SHORTEST_SECRET = 4
_WINDOW = 12  # a run of this many characters that the prompt has too counts as a quotation
_KEY = re.compile(
    r"""(?ix)
    \b(?:sk|pk|rk|gsk|xai|hf|nvapi|AIza|ya29|AKIA|ASIA|r8|pplx|ghp|glpat|fw|key(?=-))[-_.]?[\w*.\-]{12,}
    | \b(?:bearer|basic)\s+[\w.~+/=*\-]{4,}
    | (?<=[?&])(?:api[-_]?key|key|token|access_token|sig|signature)=[^&\s"']+
    | ://[^/\s:@]+:[^/\s@]+@
    | \b[A-Za-z0-9_\-]{40,}\b
    """
)


def redact(text: str, *, secrets: Iterable[str] = (), prompts: Iterable[str | None] = ()) -> str:
    """Return `text` as one short line; known and likely keys become `[key]`, quoted prompts `[…]`."""
    text = " ".join(text[: 8 * MAX_LENGTH].split())
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[key]")
    text = _KEY.sub("[key]", text)[: 2 * MAX_LENGTH]
    for prompt in prompts:
        if prompt:
            text = _without_quotations(text, " ".join(prompt.split()))
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _without_quotations(text: str, prompt: str) -> str:
    window = min(_WINDOW, len(prompt))
    quoted = bytearray(len(text))
    for start in range(len(text) - window + 1):
        if text[start : start + window] in prompt:
            quoted[start : start + window] = b"\x01" * window
    kept: list[str] = []
    for index, char in enumerate(text):
        if not quoted[index]:
            kept.append(char)
        elif not kept or kept[-1] != "[…]":
            kept.append("[…]")
    return "".join(kept)
