from __future__ import annotations

import pytest

from mongoclaw_project.config import SettingsInvalid, load_settings
from mongoclaw_project.safety import RULES, dangers
from mongoclaw_project.starting import refuse_danger

SAFE = {
    "MONGOCLAW_ENVIRONMENT": "production",
    "MONGOCLAW_SECURITY__SECRET_KEY": "k" * 40,
    "MONGOCLAW_SECURITY__API_KEYS": "a" * 32,
    "MONGOCLAW_DATABASE__URL": "postgresql://u:p@db/mongoclaw",
    "MONGOCLAW_REDIS__URL": "redis://:p@redis/0",
    "MONGOCLAW_API__ALLOWED_HOSTS": "claw.example.com",
    "MONGOCLAW_API__CORS_ORIGINS": "https://claw.example.com",
}


def ids(**changes: str) -> list[str]:
    environ = SAFE | {f"MONGOCLAW_{name}": value for name, value in changes.items()}
    return [danger.id for danger in dangers(load_settings(environ))]


def test_safe_settings_of_production_are_safe() -> None:
    assert ids() == []


def test_keys_of_users_need_no_setting() -> None:
    assert ids(SECURITY__API_KEYS="") == []


def test_the_defaults_of_development_are_safe() -> None:
    assert dangers(load_settings({})) == ()


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("E001", {"SECURITY__SECRET_KEY": ""}),
        ("E002", {"DATABASE__URL": ""}),
        ("E003", {"SECURITY__SECRET_KEY": "short"}),
        ("E004", {"DEBUG": "true"}),
        ("E005", {"WORKER__HEARTBEAT_SECONDS": "3"}),
        ("W001", {"DATABASE__URL": "sqlite:////var/lib/mongoclaw/db.sqlite3"}),
        ("W003", {"SECURITY__API_KEYS": "abc"}),
        ("W004", {"API__CORS_ORIGINS": "*"}),
        ("W005", {"API__ALLOWED_HOSTS": ""}),
        ("W006", {"API__ALLOWED_HOSTS": "*"}),
        ("W007", {"REDIS__URL": "redis://redis/0"}),
        ("W008", {"BROKER__URL": "amqp://guest:guest@rabbit//"}),
    ],
)
def test_each_danger_has_its_own_id(expected: str, changes: dict[str, str]) -> None:
    assert ids(**changes) == [expected]


def test_every_danger_says_what_to_do() -> None:
    bare = dangers(load_settings({"MONGOCLAW_ENVIRONMENT": "production", "MONGOCLAW_DEBUG": "1"}))
    assert len(bare) >= 5
    assert all(danger.hint and danger.message for danger in bare)


def test_development_may_debug_without_keys_but_not_beat_too_slowly() -> None:
    environ = {"MONGOCLAW_DEBUG": "true", "MONGOCLAW_WORKER__HEARTBEAT_SECONDS": "5"}
    assert [danger.id for danger in dangers(load_settings(environ))] == ["E005"]


def test_errors_stop_a_process_with_one_line_each() -> None:
    settings = load_settings({"MONGOCLAW_ENVIRONMENT": "production", "MONGOCLAW_DEBUG": "true"})
    with pytest.raises(SettingsInvalid) as caught:
        refuse_danger(settings)
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "mongoclaw.E001",
        "mongoclaw.E002",
        "mongoclaw.E004",
    ]


def test_warnings_stop_nothing() -> None:
    refuse_danger(load_settings(SAFE | {"MONGOCLAW_API__CORS_ORIGINS": "*"}))


def test_rules_are_pure() -> None:
    settings = load_settings(SAFE)
    assert [list(rule(settings)) for rule in RULES] == [list(rule(settings)) for rule in RULES]
