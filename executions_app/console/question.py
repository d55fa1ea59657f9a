"""What is asked before an action is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen: the fields of the address or of the form."""

    fields: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its consequence. `kept` is sent again with the answer; `asks` names an input that goes along."""

    title: str
    consequence: str
    button: str
    subject: str = ""
    is_loss: bool = False
    asks: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
