"""Over HTTP to real processes: a document is triggered, and everything is held and let go."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

import pytest
import urllib3

from executions_app.webhooks.signatures import OWN, sign
from sandbox.embedded.ports import reserved_port
from tests.acceptance.conftest import Fleet

KEY: Final = "a-long-and-random-key"
SECRET: Final = "a long and random secret"
JSON: Final = {"Content-Type": "application/json"}


@dataclass
class Web:
    """The web server of a fleet, as a program calls it."""

    fleet: Fleet
    url: str

    def post(self, path: str, body: object = None, **headers: str) -> Any:
        """Post as whoever has the key, or a signature."""
        sent = {**JSON, **({} if OWN in headers else {"X-API-Key": KEY}), **headers}
        answer = urllib3.request(
            "POST", f"{self.url}/api/v1/{path}", body=json.dumps(body or {}), headers=sent
        )
        assert answer.status < 300, (answer.status, answer.data)
        return answer.json()

    def answers(self) -> bool:
        """Whether the server listens."""
        try:
            return urllib3.request("GET", f"{self.url}/health/live", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False


@pytest.fixture
def web(fleet: Fleet) -> Web:
    """A web server beside a watcher and a worker, and an agent at work."""
    fleet.environ |= {"MONGOCLAW_SECURITY__API_KEYS": KEY, "MONGOCLAW_WEBHOOKS__SECRET": SECRET}
    with reserved_port(fleet.directory / "web.port") as port:
        pass
    made = Web(fleet, f"http://127.0.0.1:{port}")
    fleet.start_module(
        "web", "mongoclaw_project", "server", "api", "--host", "127.0.0.1", "--port", str(port)
    )
    fleet.publish()
    fleet.start()
    fleet.wait_for(made.answers)
    return made


@pytest.mark.sql
def test_a_document_is_triggered_and_enriched_and_what_is_held_waits_until_it_is_let_go(web: Web) -> None:
    fleet = web.fleet
    body = {"document": {"text": "The invoice is wrong"}}

    run = web.post("webhooks/trigger/support", body, **{"Idempotency-Key": "one"})
    assert web.post("webhooks/trigger/support", body, **{"Idempotency-Key": "one"})["id"] == run["id"]
    fleet.wait_for(fleet.enriched)
    fleet.wait_until_idle()
    ended = f"SELECT status, reason, operation FROM executions_app_execution WHERE id = '{run['id']}'"
    assert fleet.rows(ended)[0][0] in {"completed", "skipped"}
    assert (fleet.db.tickets.count_documents({}), fleet.model.calls()["total"]) == (1, 1)

    web.post("dispatch/pause", {"reason": "the bill"})
    heard_by = time.monotonic() + 1.0  # every process has asked again by then
    fleet.wait_for(lambda: time.monotonic() > heard_by)
    event = {"event_type": "trigger", "data": {"agent_id": "support", "document": {"text": "It crashes"}}}
    signature = sign(SECRET, json.dumps(event).encode(), second=int(time.time()))
    held = web.post("webhooks/custom", event, **{OWN: signature})["execution_id"]
    fleet.insert(1)
    fleet.wait_for(lambda: fleet.unfinished() == 2)
    assert fleet.enriched() == 1
    assert "the bill" in fleet.cli("dispatch", "status").stdout

    web.post("dispatch/resume")
    fleet.wait_for(lambda: fleet.enriched() == 3)
    fleet.wait_until_idle()
    assert fleet.rows(ended.replace(run["id"], held))[0][0] == "completed"
