"""What tests of several parts meet on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from executions_app.limits.limiter import connect


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The Redis in which limits are kept, reached as the limiter reaches it."""
    client = connect(redis_url)
    yield client
    client.close()
