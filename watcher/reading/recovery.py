"""What to do about an error of a stream: the ladder, how long to pause, and when to stop hoping.

The table is explained in docs/adr/0014-recovery-ladder.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bson import Timestamp
from pymongo.errors import OperationFailure

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
BROKEN_PAUSE: Final = 30.0
"""Seconds."""

PATIENCE: Final = 2
"""After so many recoveries in a row that got the stream nowhere, it counts as broken."""

QUIET_SECONDS: Final = 10.0
"""An error that comes so long after the one before begins with the first pause again."""


class Phase(StrEnum):
    """Where an error came up."""

    OPENING = "opening"
    READING = "reading"


class Action(StrEnum):
    """What is done about it."""

    AGAIN = "again"  # open again where the position is
    AT_TIME = "at_time"  # the token is no good: open at the position's cluster time
    LATER_START = "later_start"  # history is lost: begin at the earliest point that there still is
    NARROW = "narrow"  # an event is too large: ask for less of it
    BREAK = "break"  # nothing helps: say so, and try again now and then


PASSING: Final = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        43,  # CursorNotFound
        50,  # MaxTimeMSExpired
        63,  # StaleShardVersion
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        133,  # FailedToSatisfyReadPreference
        134,  # ReadConcernMajorityNotAvailableYet
        150,  # StaleEpoch
        189,  # PrimarySteppedDown
        202,  # NetworkInterfaceExceededTimeLimit
        234,  # RetryChangeStream
        237,  # CursorKilled
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11601,  # Interrupted
        11602,  # InterruptedDueToReplStateChange
        13388,  # StaleConfig
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
"""A server that is busy with itself. The stream and its position are sound."""

HISTORY_LOST: Final = frozenset({136, 286})  # CappedPositionLost, ChangeStreamHistoryLost

TOKEN_REFUSED: Final = frozenset(
    {
        260,  # InvalidResumeToken
        280,  # ChangeStreamFatalError: also in a healthy oplog, SERVER-128753
        464,  # ShardRemovedError
        50811,  # the token's key string cannot be decoded
    }
)

TOO_LARGE: Final = frozenset({10334})  # BSONObjectTooLarge

HOPELESS: Final[Mapping[int, str]] = {
    13: "the watcher's user may not read change streams: grant it `read` on the database",
    18: "MongoDB refuses the watcher's credentials: correct MONGOCLAW_MONGODB__URI",
    8000: "MongoDB refuses the watcher's credentials or their rights: correct MONGOCLAW_MONGODB__URI",
    40573: "MongoDB runs standalone, and change streams need a replica set: start mongod with --replSet",
    40324: "this MongoDB lacks an aggregation stage that is needed: upgrade to 6.0 or later",
    168: "this MongoDB lacks an aggregation operator that is needed: upgrade, or do not divide the stream",
}
"""What no attempt mends, with the remedy. It is tried now and then all the same: somebody may follow the remedy."""


def action_for(code: int | None, phase: Phase, *, fruitless: int, resumable: bool = False) -> Action:
    """Choose what to do about an error.

    `code` is the server's, None where the network failed. `fruitless` counts the recoveries since the stream last
    moved on. `resumable` says that the server itself has labelled the error as one that passes.
    """
    if code is None or code in PASSING or resumable:
        return Action.AGAIN
    is_lost = code in HISTORY_LOST and phase is Phase.OPENING
    # Lost history gets one try more: only in that the server is believed against its own oplog.
    if code in HOPELESS or fruitless >= PATIENCE + is_lost:
        return Action.BREAK
    if is_lost:
        return Action.LATER_START
    if code in TOO_LARGE:
        return Action.NARROW
    if code in TOKEN_REFUSED or phase is Phase.OPENING:
        # Servers refuse tokens with many codes (DocumentDB with 9), and the time is always as good a start.
        return Action.AT_TIME
    # History lost while reading may be this cursor's bad luck: opening again shows what is really gone.
    return Action.AGAIN


Reached = tuple[Timestamp, str]
"""A position's time and token, which sort as the stream does; a token is empty where there is none."""

ORIGIN: Final[Reached] = (Timestamp(0, 0), "")


@dataclass(frozen=True, slots=True)
class Troubles:
    """The errors in a row. `best` is how far the stream had come before any of them."""

    fruitless: int = 0
    row: int = 0
    best: Reached | None = None
    at: float = float("-inf")

    def and_one_more(self, reached: Reached, *, monotonic: float) -> Troubles:
        """Count an error that came when the stream had come to `reached`."""
        moved = self.best is None or reached > self.best
        return Troubles(
            fruitless=0 if moved else self.fruitless + 1,
            row=0 if monotonic - self.at > QUIET_SECONDS else self.row + 1,
            best=reached if moved else self.best,
            at=monotonic,
        )

    def pause(self, action: Action, *, jitter: float) -> float:
        """Return how long to wait before the stream is opened again, in seconds. `jitter` is from 0 to 1."""
        if action is Action.BREAK:
            return BROKEN_PAUSE
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.row, 10))
        return round(longest * (1 + jitter) / 2, 3)


def code_of(error: BaseException) -> int | None:
    """Return the server's code, or None for what the network or another server did."""
    return error.code if isinstance(error, OperationFailure) else None


def is_resumable(error: BaseException) -> bool:
    """Tell whether the server has labelled the error as one that passes."""
    return isinstance(error, OperationFailure) and error.has_error_label("ResumableChangeStreamError")
