"""What the limiter answers, and what it is told in the end."""

from __future__ import annotations

from dataclasses import dataclass

from executions_app.states import Reason


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may begin. `reserved` tokens are counted for it until it says how many there were."""

    run: str
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must wait: why, and how many seconds it is no use to ask again."""

    reason: Reason
    seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used while it was admitted."""

    calls: int = 0
    tokens: int = 0
    nanousd: int = 0
