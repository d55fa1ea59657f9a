"""The interface for tests and the demo: what was called, which faults to play, how slow to be."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from sandbox.model import MODEL_NAME, NOTICE
from sandbox.model.faults import parse_rule
from sandbox.model.http import response
from sandbox.model.latency import parse_latency

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.model.http import Request
    from sandbox.model.server import ModelState


def control(state: ModelState, request: Request) -> bytes:
    """Answers every request that is no call of the model."""
    handler = _ROUTES.get((request.method, request.path.rstrip("/") or "/"))
    if handler is None:
        return _reply(404, {"error": {"message": f"no {request.method} {request.path} here. {NOTICE}"}})
    try:
        return _reply(200, handler(state, request))
    except (ValueError, TypeError) as exc:
        return _reply(400, {"error": {"message": str(exc)}})


def _reply(status: int, value: Any) -> bytes:
    return response(status, json.dumps(value).encode())


def _about(state: ModelState, request: Request) -> Any:  # noqa: ARG001  one shape for all handlers
    return {"name": MODEL_NAME, "is_language_model": False, "notice": NOTICE}


def _health(state: ModelState, request: Request) -> Any:  # noqa: ARG001
    return {"status": "ok", "in_flight": state.calls.in_flight}


def _models(state: ModelState, request: Request) -> Any:  # noqa: ARG001
    model = {"id": MODEL_NAME, "object": "model", "created": 0, "owned_by": "mongoclaw-sandbox"}
    return {"object": "list", "data": [model]}


def _get_calls(state: ModelState, request: Request) -> Any:
    log = {"log": state.calls.entries()} if "log=1" in request.query else {}
    return {**state.calls.summary(), **log}


def _reset_calls(state: ModelState, request: Request) -> Any:  # noqa: ARG001
    state.calls.reset()
    return state.calls.summary()


def _get_faults(state: ModelState, request: Request) -> Any:  # noqa: ARG001
    return {"rules": state.faults.as_list()}


def _add_faults(state: ModelState, request: Request) -> Any:
    data = json.loads(request.body)
    rules = data if isinstance(data, list) else [data]
    if not all(isinstance(rule, dict) for rule in rules):
        raise ValueError("a rule is an object with a kind")
    now = time.monotonic()
    state.faults.add([parse_rule(rule, now=now) for rule in rules])
    return {"rules": state.faults.as_list()}


def _clear_faults(state: ModelState, request: Request) -> Any:  # noqa: ARG001
    state.faults.clear()
    return {"rules": []}


def _set_latency(state: ModelState, request: Request) -> Any:
    data = json.loads(request.body)
    if not isinstance(data, dict) or "latency" not in data:
        raise ValueError('send {"latency": "200"}')
    state.latency = parse_latency(str(data["latency"]), seed=int(data.get("seed", 0)))
    return {"latency": str(data["latency"])}


_ROUTES: dict[tuple[str, str], Callable[[ModelState, Request], Any]] = {
    ("GET", "/"): _about,
    ("GET", "/v1"): _about,
    ("GET", "/health"): _health,
    ("GET", "/v1/models"): _models,
    ("GET", "/calls"): _get_calls,
    ("DELETE", "/calls"): _reset_calls,
    ("GET", "/faults"): _get_faults,
    ("POST", "/faults"): _add_faults,
    ("DELETE", "/faults"): _clear_faults,
    ("POST", "/latency"): _set_latency,
}
