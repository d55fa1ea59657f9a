"""The fingerprint of a run's input: equal fingerprints mean that the model would be asked the same again."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from enrichment.prompt import RenderedPrompt

LENGTH: Final = 32  # hexadecimal digits, 128 bits


def fingerprint(content_hash: str, rendered: RenderedPrompt) -> str:
    """Return 32 hexadecimal digits over the agent version's content hash and both rendered prompts."""
    # As JSON, so that no two different triples make the same text.
    text = json.dumps([content_hash, rendered.system, rendered.user])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:LENGTH]
