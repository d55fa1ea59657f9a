"""What may reach a terminal: documents, answers and error texts can hold anything, sequences that steer it too."""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, old and new; the tab and the end of a line may stay
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction, so that a text reads as another one
    r"\u2028\u2029\ud800-\udfff]"  # end lines for some; and halves of characters, which cannot be written
)


def printable(text: str) -> str:
    r"""The text with what steers a terminal written out, as `\u001b`; JSON means the same as before."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
