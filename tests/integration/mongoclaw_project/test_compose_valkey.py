from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from sandbox.embedded.binaries import find_valkey
from sandbox.embedded.ports import reserved_port
from tests.compose import SECRETS, interpolated
from tests.conditions import eventually


def test_the_valkey_of_the_fleet_asks_for_its_password_keeps_all_and_writes_it_down(tmp_path: Path) -> None:
    service = interpolated(SECRETS)["services"]["valkey"]
    shell, option, script = service["command"]
    program = find_valkey()
    tmp_path.joinpath("valkey-server").symlink_to(program)
    with reserved_port(tmp_path / "port") as port:
        started = subprocess.Popen(
            [shell, option, f"{script} --port {port} --bind 127.0.0.1"],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **service["environment"]},
            stdout=subprocess.DEVNULL,
        )
        try:
            with redis.Redis(port=port, password=SECRETS["VALKEY_PASSWORD"]) as known:
                eventually(lambda: pinged(known))
                told: Any = known.config_get("maxmemory-policy", "appendonly")
            assert told == {"maxmemory-policy": "noeviction", "appendonly": "yes"}
            with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
        finally:
            started.terminate()
            started.wait(20)


def pinged(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
