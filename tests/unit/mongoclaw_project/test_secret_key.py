from __future__ import annotations

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
    settings = load_settings({}, directory=tmp_path)
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: secret_key(settings), range(64)))
    assert len(keys) == 1
    assert [file.name for file in (tmp_path / ".mongoclaw").iterdir()] == ["secret-key"]


def test_elsewhere_no_key_is_made_up(tmp_path: Path) -> None:
    settings = load_settings({"MONGOCLAW_ENVIRONMENT": "production"}, directory=tmp_path)
    assert secret_key(settings) == ""
    assert list(tmp_path.iterdir()) == []
