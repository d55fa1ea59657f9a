"""What the limiter answers, and what it is told in the end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used while it was admitted, or the most that it may use."""

    calls: int = 0
    tokens: int = 0
    nanousd: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may begin.

    `reserved` is counted for it, in the `minute` in which it began, until it says what it was. A call that `probes`
    is the one that tries whether a provider is back.
    """

    run: str
    reserved: Spent = field(default_factory=Spent)
    minute: int = 0
    probes: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must wait: why, and how many seconds it is no use to ask again.

    A newer release may know reasons that this one does not.
    """

    reason: str
    seconds: float
