"""Whatever is sent to the HTTP API, it answers as its OpenAPI document says, and never with an error of its own."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
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
from agents_app.publish import publish
from agents_app.spec import parse_policy, parse_spec
from executions_app.models import Execution
from mongoclaw_project.config import Loaded, load_settings, loading
from mongoclaw_project.wsgi import application
from tests.integration.executions_app.conftest import make_event as events_of
from tests.integration.executions_app.letters import dead_run

KEY = "a key of the fuzzer's"
EXAMPLES = 2
"""Requests of each kind to each operation: CI has half a minute for it. A longer look: FUZZ_EXAMPLES=500."""

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
@pytest.mark.timeout(300)
def test_no_request_meets_an_error_or_an_answer_that_is_not_documented(api: None) -> None:
    document = schemathesis.openapi.from_wsgi("/openapi.json", application)
    operations = [found.ok() for found in document.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 30

    failures = {}
    for operation in operations:
        known = known_places()
        named = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for places in [None, named] if named else [None]:
                strategy = operation.as_strategy(mode, path_parameters=places)
                try:
                    attack(strategy)()
                except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001  # all operations are tried before the test fails
                    failures[operation.label] = "".join(traceback.format_exception(error))
    assert not failures, "\n\n".join(f"{name}\n{told}" for name, told in failures.items())


def attack(strategy: st.SearchStrategy[Any]) -> Callable[[], None]:
    """Send requests of a kind; raises for the first answer that is not as it should be."""
    examples = int(os.environ.get("FUZZ_EXAMPLES", EXAMPLES))

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Any) -> None:
        case.call_and_validate(headers={"X-API-Key": KEY}, checks=CHECKS)

    return send


def known_places() -> dict[str, Any]:
    """Put an agent and a dead letter on record, and name what is there."""
    agent = publish(parse_spec(SPEC), by="tests", now=NOW).agent
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
