from __future__ import annotations

import re
from pathlib import Path

import pytest

from mongoclaw_project.config.names import SettingName, setting_names
from mongoclaw_project.config.reference import reference

ROOT = Path(__file__).parents[3]
PACKAGES = ("agents_app", "enrichment", "executions_app", "mongoclaw_project", "sandbox", "tasks", "watcher")


def test_the_reference_in_the_docs_is_what_the_settings_say() -> None:
    written = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert written == reference(), "run `make docs`"


@pytest.mark.parametrize("name", list(setting_names()), ids=lambda name: name.canonical)
def test_every_setting_is_explained_in_a_sentence(name: SettingName) -> None:
    text = name.info.description or ""
    assert text.endswith(".")
    assert text[0].isupper() or text.startswith("`")


def sources() -> str:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if "/config/" not in str(file))


def test_every_setting_that_is_not_marked_as_accepted_only_is_used() -> None:
    code = sources()
    unused = [
        name.canonical
        for name in setting_names()
        if not name.is_accepted_only and not re.search(rf"\.{name.field}\b", code)
    ]
    assert unused == []


def test_no_setting_that_is_marked_as_accepted_only_is_used() -> None:
    code = sources()
    used = [
        name.canonical
        for name in setting_names()
        if name.is_accepted_only
        and name.group is not None
        and re.search(
            rf"settings\.{name.group}\.{name.field}\b|current\(\)\.{name.group}\.{name.field}\b", code
        )
    ]
    assert used == []
