"""Turns urllib3's errors into ours.

What never reached the provider costs nothing and is deferred. What may have reached it is tried again, and
counts.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from urllib3 import exceptions

from enrichment import errors
from enrichment.providers.redaction import redact

_Class = type[errors.ProviderError]

MEANING: Mapping[type[BaseException], _Class] = {
    exceptions.NameResolutionError: errors.ProviderUnavailable,
    exceptions.NewConnectionError: errors.ProviderUnavailable,
    exceptions.ConnectTimeoutError: errors.ProviderUnavailable,
    exceptions.ReadTimeoutError: errors.ProviderTimeout,
    exceptions.TimeoutError: errors.ProviderTimeout,
    exceptions.SSLError: errors.ProviderUnavailable,
    exceptions.ProxyError: errors.ProviderUnavailable,
    exceptions.ProtocolError: errors.ProviderError5xx,
    exceptions.ResponseNotChunked: errors.ProviderBadResponse,
    exceptions.IncompleteRead: errors.ProviderBadResponse,
    exceptions.InvalidChunkLength: errors.ProviderBadResponse,
    exceptions.InvalidHeader: errors.ProviderBadResponse,
    exceptions.HeaderParsingError: errors.ProviderBadResponse,
    exceptions.DecodeError: errors.ProviderBadResponse,
    exceptions.BodyNotHttplibCompatible: errors.ProviderBadResponse,
    exceptions.ResponseError: errors.ProviderBadResponse,
    exceptions.HostChangedError: errors.ProviderRejected,
    exceptions.MaxRetryError: errors.ProviderUnavailable,
    exceptions.RequestError: errors.ProviderError5xx,
    exceptions.PoolError: errors.ProviderUnavailable,
    exceptions.EmptyPoolError: errors.ProviderUnavailable,
    exceptions.FullPoolError: errors.ProviderUnavailable,
    exceptions.ClosedPoolError: errors.ProviderUnavailable,
    exceptions.LocationValueError: errors.ProviderRejected,
    exceptions.LocationParseError: errors.ProviderRejected,
    exceptions.URLSchemeUnknown: errors.ProviderRejected,
    exceptions.ProxySchemeUnknown: errors.ProviderRejected,
    exceptions.UnrewindableBodyError: errors.ProviderError5xx,
    exceptions.TimeoutStateError: errors.ProviderError5xx,
    exceptions.HTTPError: errors.ProviderError5xx,
    http.client.HTTPException: errors.ProviderBadResponse,
    OSError: errors.ProviderError5xx,
    UnicodeError: errors.ProviderRejected,
}


def meaning(kind: type[BaseException]) -> _Class:
    """Return our class for an error of urllib3: that of its nearest ancestor in the table."""
    return next(MEANING[base] for base in kind.__mro__ if base in MEANING)


@contextmanager
def translated(provider: str) -> Iterator[None]:
    """Raise our errors in place of urllib3's. urllib3's texts name host and port, never headers or bodies."""
    try:
        yield
    except tuple(MEANING) as error:
        kind = meaning(type(error))
        if kind is errors.ProviderTimeout and "handshake" in str(error.__cause__):
            kind = errors.ProviderUnavailable  # nothing was sent yet
        words = "it took too long" if kind is errors.ProviderTimeout else redact(str(error))
        raise kind(f"{provider}: {words}") from error
