from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mongoclaw_project.config import load_settings
from mongoclaw_project.secret_key import secret_key


def test_the_given_key_is_used(tmp_path: Path) -> None:
    settings = load_settings({"MONGOCLAW_SECURITY__SECRET_KEY": "given"}, directory=tmp_path)
    assert secret_key(settings) == "given"
    assert list(tmp_path.iterdir()) == []


def test_development_makes_a_random_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    settings = load_settings({}, directory=tmp_path)
    key = secret_key(settings)
    file = tmp_path / ".mongoclaw/secret-key"
    assert len(key) >= 50
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret_key(settings) == key


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    together = threading.Barrier(16)

    def start(number: int) -> str:
        settings = load_settings({}, directory=tmp_path / str(number // 16))
        together.wait(10)
        return secret_key(settings)

    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(start, range(16 * 20)))
    for group in range(20):
        assert len(set(keys[16 * group : 16 * group + 16])) == 1
        state = tmp_path / str(group) / ".mongoclaw"
        assert [file.name for file in state.iterdir()] == ["secret-key"]


def test_elsewhere_no_key_is_made_up(tmp_path: Path) -> None:
    settings = load_settings({"MONGOCLAW_ENVIRONMENT": "production"}, directory=tmp_path)
    assert secret_key(settings) == ""
    assert list(tmp_path.iterdir()) == []
