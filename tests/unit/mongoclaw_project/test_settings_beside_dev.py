"""Settings in a folder where `mongoclaw dev` runs; this test's own process plays it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mongoclaw_project.config import SettingsInvalid, load, load_settings
from sandbox.addresses import Addresses
from sandbox.announcement import announced

THERE = Addresses(
    mongodb="mongodb://127.0.0.1:1/?directConnection=true",
    broker="redis://127.0.0.1:2/0",
    database="sqlite:////d/mongoclaw.sqlite3",
    web="http://127.0.0.1:3",
    model="http://127.0.0.1:4/v1",
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / ".mongoclaw").mkdir()
    with announced(THERE, tmp_path / ".mongoclaw"):
        yield tmp_path


def test_its_addresses_are_used_and_named_as_the_source(folder: Path) -> None:
    loaded = load({}, directory=folder, beside_dev=True)
    settings = loaded.settings
    assert settings.mongodb.uri == THERE.mongodb
    assert settings.redis.url == THERE.broker
    assert settings.database.url == THERE.database
    assert settings.ai.sandbox_url == THERE.model
    assert set(loaded.sources.values()) == {f"mongoclaw dev (process {os.getpid()})"}


def test_the_environment_wins_setting_by_setting(folder: Path) -> None:
    environ = {"MONGOCLAW_MONGODB__URI": "mongodb://mine", "REDIS_URL": "redis://mine"}
    loaded = load(environ, directory=folder, beside_dev=True)
    assert loaded.settings.mongodb.uri == "mongodb://mine"
    assert loaded.settings.redis.url == "redis://mine"
    assert loaded.settings.database.url == THERE.database
    assert loaded.sources[("mongodb", "uri")] == "MONGOCLAW_MONGODB__URI"
    assert loaded.sources[("redis", "url")] == "REDIS_URL"


def test_outside_development_it_is_not_asked(folder: Path) -> None:
    for environment in ("staging", "production"):
        settings = load({"MONGOCLAW_ENVIRONMENT": environment}, directory=folder, beside_dev=True).settings
        assert settings.mongodb.uri == "mongodb://localhost:27017"
        assert settings.database.url == ""
        assert settings.ai.sandbox_url is None


def test_only_processes_ask_it(folder: Path) -> None:
    assert load_settings({}, directory=folder).mongodb.uri == "mongodb://localhost:27017"


def test_another_state_directory_is_another_system(folder: Path) -> None:
    environ = {"MONGOCLAW_STATE_DIR": "elsewhere"}
    assert load(environ, directory=folder, beside_dev=True).sources == {("state_dir",): "MONGOCLAW_STATE_DIR"}


def test_an_address_that_is_none_is_named_with_who_gave_it(tmp_path: Path) -> None:
    (tmp_path / ".mongoclaw").mkdir()
    wrong = Addresses(mongodb="http://h", broker=THERE.broker, database=THERE.database, web=THERE.web)
    with announced(wrong, tmp_path / ".mongoclaw"), pytest.raises(SettingsInvalid) as caught:
        load({}, directory=tmp_path, beside_dev=True)
    assert caught.value.problems == (
        f"mongoclaw dev (process {os.getpid()}): must start with mongodb:// or mongodb+srv://",
    )
