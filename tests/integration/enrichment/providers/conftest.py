"""What the tests of the providers share: servers that misbehave as told, and what each fault means."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from agents_app.errors import Decision
from enrichment import errors
from tests.integration.enrichment.providers.raw_server import RawServer, Reply

Serve = Callable[[bytes | Reply], RawServer]

# A fault of the sandbox model, the error it is, and what happens to the run.
FAULTS: list[tuple[str, type[errors.ProviderError], Decision]] = [
    ("rate_limit", errors.RateLimited, Decision.DEFER),
    ("insufficient_quota", errors.QuotaExhausted, Decision.DEFER),
    ("unauthorized", errors.ProviderAuthFailed, Decision.PERMANENT),
    ("bad_request", errors.ProviderRejected, Decision.PERMANENT),
    ("context_too_long", errors.PromptTooLong, Decision.DEAD),
    ("content_policy", errors.AnswerRefused, Decision.DEAD),
    ("unknown_model", errors.ProviderRejected, Decision.PERMANENT),
    ("error_500", errors.ProviderError5xx, Decision.RETRY),
    ("unavailable", errors.ProviderUnavailable, Decision.DEFER),
    ("overloaded", errors.ProviderUnavailable, Decision.DEFER),
    ("html", errors.ProviderBadResponse, Decision.RETRY),
    ("bad_body", errors.ProviderBadResponse, Decision.RETRY),
    ("hang", errors.ProviderTimeout, Decision.RETRY),
    ("reset", errors.ProviderError5xx, Decision.RETRY),
    ("slow_drip", errors.ProviderTimeout, Decision.RETRY),
    ("no_choices", errors.AnswerMissing, Decision.RETRY),
    ("refusal", errors.AnswerRefused, Decision.DEAD),
    ("truncated", errors.AnswerTruncated, Decision.DEAD),
]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(reply: bytes | Reply) -> RawServer:
        servers.append(RawServer(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
