"""Whether a webhook is from whom it says: signatures by HMAC-SHA256, compared in constant time. Pure.

Sources: GitHub "Validating webhook deliveries", Slack "Verifying requests from Slack"; our own scheme is Stripe's.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar, Final

from agents_app.errors import Decision, MongoClawError

OWN: Final = "X-MongoClaw-Signature"
GITHUB: Final = "X-Hub-Signature-256"
SLACK: Final = "X-Slack-Signature"
SLACK_TIME: Final = "X-Slack-Request-Timestamp"

TOLERANCE: Final = 300
"""Seconds by which a signed time may differ from ours."""

_OWN: Final = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,12}", re.ASCII)


class SignatureWrong(MongoClawError):
    """The signature is not right."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "signature_wrong"


def sign(secret: str, body: bytes, *, second: int) -> str:
    """Return the value of our header for a body that is sent at a second since 1970."""
    return f"t={second},v1={_digest(secret, f'{second}.'.encode() + body)}"


def check_own(secret: str, body: bytes, headers: Mapping[str, str], *, second: int) -> str:
    """Return what names this message among all. Raises SignatureWrong."""
    found = _OWN.fullmatch(headers.get(OWN, ""))
    if found is None:
        raise SignatureWrong(f"{OWN} must be t=<seconds since 1970>,v1=<64 hexadecimal digits>")
    _check_time(int(found[1]), second, OWN)
    _compare(found[2], _digest(secret, f"{found[1]}.".encode() + body), OWN)
    return found[2]


def check_github(secret: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Return what names this message among all: its delivery's id is not signed, the body is. Raises SignatureWrong."""
    expected = _digest(secret, body)
    _compare(headers.get(GITHUB, ""), f"sha256={expected}", GITHUB)
    return expected


def check_slack(secret: str, body: bytes, headers: Mapping[str, str], *, second: int) -> str:
    """Return what names this message among all. Raises SignatureWrong."""
    told = headers.get(SLACK_TIME, "")
    if _SECONDS.fullmatch(told) is None:
        raise SignatureWrong(f"{SLACK_TIME} must be seconds since 1970")
    _check_time(int(told), second, SLACK_TIME)
    expected = _digest(secret, f"v0:{told}:".encode() + body)
    _compare(headers.get(SLACK, ""), f"v0={expected}", SLACK)
    return expected


def _digest(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, sha256).hexdigest()


def _check_time(told: int, second: int, header: str) -> None:
    if abs(second - told) > TOLERANCE:
        raise SignatureWrong(
            f"{header} is of another time: {TOLERANCE // 60} minutes of difference are allowed"
        )


def _compare(given: str, expected: str, header: str) -> None:
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        raise SignatureWrong(f"{header} does not fit the body and the secret")
