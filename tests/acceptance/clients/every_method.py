"""Every method of MongoClaw 1.0.4's official Python client, against a server: argv is flavour, URL, key, database.

Runs with the client's package on PYTHONPATH, as a user's program does; the last line is what it has seen, as JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import time
from typing import Any

from mongoclaw.sdk import AsyncMongoClawClient, MongoClawClient  # type: ignore[import-not-found]

flavour, url, key, database = sys.argv[1:5]
CLIENTS = {"sync": MongoClawClient, "async": AsyncMongoClawClient}


async def settled(answer: Any) -> Any:
    """Wait for an answer of the asynchronous client; that of the other one is there."""
    return await answer if inspect.isawaitable(answer) else answer


async def main() -> None:
    """Take an agent from its creation to an enriched document, and away again."""
    client: Any = CLIENTS[flavour](url, api_key=key)
    agent_id = f"client-{flavour}"
    config = {
        "id": agent_id,
        "name": "Client",
        "watch": {"database": database, "collection": flavour},
        "ai": {"provider": "sandbox", "model": "sandbox-1", "prompt": "Sort: {{ document.text }}"},
        "write": {"target_field": "ai"},
        "policy": {"condition": "True"},
    }
    health = await settled(client.health())
    assert health.status == "healthy", health
    assert await settled(client.health_detailed())
    assert await settled(client.is_healthy()) is True

    assert (await settled(client.validate_agent(config)))["valid"] is True
    assert (await settled(client.validate_agent({"id": "X"})))["valid"] is False
    made = await settled(client.create_agent(config))
    assert (made.id, made.enabled, made.watch["database"]) == (agent_id, True, database)
    assert (await settled(client.get_agent(agent_id))).name == "Client"
    assert agent_id in [agent.id for agent in await settled(client.list_agents(enabled_only=True))]
    assert (await settled(client.update_agent(agent_id, {"name": "New"}))).name == "New"
    assert (await settled(client.disable_agent(agent_id))).enabled is False
    assert (await settled(client.enable_agent(agent_id))).enabled is True
    print(json.dumps({"ready": agent_id}), flush=True)  # noqa: T201  # the test reads it

    run = await first_run(client, agent_id)
    ended = await settled(client.wait_for_execution(run.id, timeout=60, poll_interval=0.2))
    assert (ended.status, ended.written, ended.document_id) == ("completed", True, "1"), ended
    assert (await settled(client.get_execution(run.id))).tokens_used > 0
    assert [one.id for one in await settled(client.list_executions(agent_id, status="completed"))] == [run.id]
    assert await settled(client.list_executions(agent_id, status="failed")) == []

    again = await settled(client.retry_execution(run.id))
    retried = await settled(client.wait_for_execution(again.id, timeout=60, poll_interval=0.2))
    # The document has not changed, so nothing was asked; the clients wait for `completed`.
    assert (retried.status, retried.reason, retried.written) == ("completed", "unchanged_input", False), (
        retried
    )
    stats = await settled(client.get_agent_stats(agent_id))
    assert (stats["total_executions"], stats["successful_executions"]) == (2, 1), stats
    triggered = await settled(client.trigger_agent(agent_id, {"_id": 2, "text": "Thanks"}))
    assert (await settled(client.wait_for_execution(triggered.id, timeout=60))).status == "completed"
    assert "mongoclaw_" in (await settled(client.get_metrics()))["raw"]
    assert await settled(client.delete_agent(agent_id)) is True
    await settled(client.close())
    print(json.dumps({"done": agent_id, "run": run.id}), flush=True)  # noqa: T201  # the test reads it


async def first_run(client: Any, agent_id: str) -> Any:
    """Wait for the run of the document that the test inserts."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = await settled(client.list_executions(agent_id))
        if found:
            return found[0]
        await asyncio.sleep(0.2)
    raise TimeoutError("no run of the document")


asyncio.run(main())
