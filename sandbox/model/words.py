"""Words for made-up texts, taken from the end of a prompt, where the document stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_TAIL = 300
_MARKUP = re.compile(r"<[^<>]*>|[{}]|\w+=")
_WORD = re.compile(r"[^\W\d_]{3,20}")
_FALLBACK = ("sandbox", "answer", "without", "meaning")


def words_of(prompt: str) -> tuple[str, ...]:
    """The words of the prompt's end, in their order; never empty."""
    return tuple(_WORD.findall(_MARKUP.sub(" ", prompt[-2 * _TAIL :])[-_TAIL:])) or _FALLBACK


def phrase(words: tuple[str, ...], rng: Random, count: int) -> str:
    """`count` neighbouring words from a random place."""
    start = rng.randrange(len(words))
    return " ".join(words[(start + step) % len(words)] for step in range(count))
