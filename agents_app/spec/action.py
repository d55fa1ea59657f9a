"""What a policy can do with an answer: all that is said about an action is here. A new one is a member."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Action(StrEnum):
    """An action `writes` the answer or not, and `tags` it before or not. `meaning` ends a sentence about it."""

    meaning: str
    writes: bool
    tags: bool

    def __new__(cls, value: str, meaning: str, writes: bool, tags: bool = False) -> Self:
        """Make a member of its name in YAML and what is said about it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning, member.writes, member.tags = meaning, writes, tags
        return member


class PolicyAction(Action):
    """What is done when the condition holds."""

    ENRICH = "enrich", "writes the answer", True
    BLOCK = "block", "writes nothing", False
    TAG = "tag", "adds a field to the answer and writes it", True, True


class FallbackAction(Action):
    """What is done when the condition does not hold."""

    SKIP = "skip", "writes nothing", False
    ENRICH = "enrich", "writes the answer", True
