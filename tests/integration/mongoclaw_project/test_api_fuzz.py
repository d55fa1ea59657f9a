"""Whatever is sent to the HTTP API, it answers as its OpenAPI document says, and never with an error of its own."""

from __future__ import annotations

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agents_app import policies
from agents_app.publish import publish, set_enabled
from agents_app.spec import parse_policy, parse_spec
from executions_app.models import Execution
from mongoclaw_project.config import Loaded, load_settings, loading
from tests.integration.executions_app.conftest import make_event as events_of
from tests.integration.executions_app.letters import dead_run

KEY = "a key of the fuzzer's"
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "0"))
"""So many at least, in rounds of other ones each; 0 is one round, always the same. CI has half a minute for it."""

EXAMPLES = 20 if REQUESTS else 2
"""Requests of each kind to each operation in a round."""

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SPEC = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "fuzz_shop", "collection": "tickets"},
    "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
    "write": {"target_field": "ai"},
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def api(transactional_db: None, mongo_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP API, with a key that may do everything, on real servers."""
    found = load_settings(
        {
            "MONGOCLAW_MONGODB__URI": mongo_uri,
            "MONGOCLAW_MONGODB__DATABASE": "fuzz",
            "MONGOCLAW_REDIS__URL": redis_url,
            "MONGOCLAW_SECURITY__API_KEYS": KEY,
            "MONGOCLAW_API__RATE_LIMIT_REQUESTS": "1000000",
        }
    )
    monkeypatch.setattr(loading, "_current", lambda: Loaded(found, ()))


@pytest.mark.once
@pytest.mark.timeout(3 * 3600 if REQUESTS else 300)
def test_no_request_meets_an_error_or_an_answer_that_is_not_documented(
    api: None, capsys: pytest.CaptureFixture[str]
) -> None:
    document = schemathesis.openapi.from_wsgi("/openapi.json", get_wsgi_application())
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 30

    failures: dict[str, str] = {}
    answered: Counter[int] = Counter()
    while not answered or answered.total() < REQUESTS:
        for operation in operations:
            for strategy in kinds(operation):
                try:
                    attack(strategy, answered)()
                except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # all operations are tried before the test fails
                    failures[operation.label] = "".join(traceback.format_exception(error))
    if REQUESTS:
        with capsys.disabled():
            told = f"{answered.total()} requests to {len(operations)} operations: {dict(sorted(answered.items()))}"
            sys.stdout.write(f"{told}\n")
    assert not failures, "\n\n".join(f"{name}\n{told}" for name, told in failures.items())


def kinds(operation: Any) -> Iterator[st.SearchStrategy[Any]]:
    """Requests as documented and others, to places that are there and others."""
    known = known_places()
    named = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for places in [None, named] if named else [None]:
            yield operation.as_strategy(mode, path_parameters=places)


def attack(strategy: st.SearchStrategy[Any], answered: Counter[int]) -> Callable[[], None]:
    """Send requests of a kind; raises for the first answer that is not as it should be."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not REQUESTS,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Any) -> None:
        answer = case.call(headers={"X-API-Key": KEY})
        answered[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    return send


def known_places() -> dict[str, Any]:
    """Put an agent and a dead letter on record, and name what is there."""
    agent = publish(parse_spec(SPEC), by="tests", now=NOW).agent
    set_enabled(agent.id, True, now=NOW)
    policy = policies.publish(parse_policy({"name": "sure"}), by="tests", now=NOW).policy
    Execution.objects.all().delete()
    run = dead_run(events_of.__wrapped__(agent))  # type: ignore[attr-defined]
    return {
        "agent_id": agent.id,
        "database": "fuzz_shop",
        "execution_id": run,
        "letter_id": run,
        "name": policy.name,
        "number": 1,
    }
