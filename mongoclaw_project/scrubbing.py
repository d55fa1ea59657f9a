"""Taking secrets out of what is printed or logged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
_DEPTH: Final = 6

_SECRET_NAME: Final = re.compile(
    r"(^|[_\-.])(password|passwd|pwd|secret|token|authorization|cookie|credentials?"
    r"|(api|secret|private|access|auth)[_\-]?keys?)$",
    re.IGNORECASE,
)
"""Names whose values are secrets; `max_tokens` and `prompt_tokens` are not among them."""

_CREDENTIALS: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.\-]*://)[^/\s@'\"]*@", re.IGNORECASE)
_PARAMETER: Final = re.compile(
    r"(?P<name>[?&;][\w.%\-]*(?:pass|pwd|secret|token|key|credential|signature|mechanismproperties)[\w.%\-]*)"
    r"=[^&;\s'\"#]+",
    re.IGNORECASE,
)
"""A parameter of an address: `authMechanismProperties` holds an AWS session's token."""

_BEARER: Final = re.compile(r"\b(?P<kind>bearer|basic)\s+[\w.~+/=\-]{8,}", re.IGNORECASE)
_PROVIDER_KEY: Final = re.compile(r"\b(?:(?:sk|rk|pk|gsk|xai|hf)[-_]|AIza|AKIA)[A-Za-z0-9_\-]{16,}")
_OUR_KEY: Final = re.compile(r"\b(?P<prefix>mck_[0-9a-f]{8})_[\w\-]{16,}")
"""An API key of MongoClaw; its prefix is shown everywhere."""


def is_secret_name(name: str) -> bool:
    """Whether a value of this name should never be shown."""
    return _SECRET_NAME.search(name) is not None


def scrub_text(text: str) -> str:
    """Text without passwords and secret parameters in URLs, bearer tokens, providers' keys and our own."""
    if "://" in text:
        text = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
        text = _PARAMETER.sub(rf"\g<name>={MASK}", text)
    text = _BEARER.sub(rf"\g<kind> {MASK}", text)
    text = _OUR_KEY.sub(rf"\g<prefix>_{MASK}", text)
    return _PROVIDER_KEY.sub(MASK, text)


def scrub(value: Any, *, depth: int = _DEPTH) -> Any:
    """A value with the secrets in its texts, mappings and lists masked."""
    if isinstance(value, str):
        return scrub_text(value)
    if depth == 0 or isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        return {
            name: MASK
            if isinstance(name, str) and is_secret_name(name) and inner
            else scrub(inner, depth=depth - 1)
            for name, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [scrub(item, depth=depth - 1) for item in value]
    return value
