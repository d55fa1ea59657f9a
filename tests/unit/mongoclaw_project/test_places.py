from __future__ import annotations

from pathlib import Path

import pytest

from mongoclaw_project.config import SettingsInvalid, load_settings
from mongoclaw_project.databases import databases
from mongoclaw_project.places import prepare_places


def prepare(directory: Path, **values: str) -> tuple[str, ...]:
    """The problems with places, none if all can be used."""
    environ = {f"MONGOCLAW_{name}": value for name, value in values.items()}
    try:
        prepare_places(load_settings(environ, directory=directory))
    except SettingsInvalid as error:
        return error.problems
    return ()


def test_directories_that_are_missing_are_made(tmp_path: Path) -> None:
    assert prepare(tmp_path, DATABASE__URL=f"sqlite:///{tmp_path}/deep/down/ledger.sqlite3") == ()
    assert (tmp_path / ".mongoclaw").is_dir()
    assert list((tmp_path / "deep/down").iterdir()) == []


def test_a_directory_that_cannot_be_is_one_line_about_the_variable_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (problem,) = prepare(tmp_path, DATABASE__URL=f"sqlite:///{file}/ledger")
    why = f"({file} cannot be made: File exists)"
    assert problem == f"MONGOCLAW_DATABASE__URL: the SQLite file {file}/ledger cannot be used {why}"
    (problem,) = prepare(tmp_path, STATE_DIR=f"{file}/state")
    why = f"({file}/state cannot be made: Not a directory)"
    assert problem == f"MONGOCLAW_STATE_DIR: the directory {file}/state cannot be used {why}"


def test_a_database_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    assert prepare(tmp_path, DATABASE__URL=f"sqlite:///{tmp_path}") == (
        f"MONGOCLAW_DATABASE__URL: the SQLite file {tmp_path} cannot be used (it is a directory)",
    )


@pytest.mark.parametrize("shielded", ["ledger.sqlite3", "."], ids=["file", "directory"])
def test_a_place_that_may_not_be_written_is_refused(
    tmp_path: Path, shielded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.sqlite3"
    file.touch()
    # Not by permissions, since those do not bind a test that runs as root.
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != tmp_path / shielded)
    (problem,) = prepare(tmp_path, DATABASE__URL=f"sqlite:///{file}", ENVIRONMENT="production")
    assert problem.endswith(f"({tmp_path / shielded} may not be written)")


def test_in_production_with_postgresql_nothing_on_disk_is_needed(tmp_path: Path) -> None:
    assert prepare(tmp_path, ENVIRONMENT="production", DATABASE__URL="postgresql://u@h/d") == ()
    assert list(tmp_path.iterdir()) == []


def test_django_can_be_configured_with_a_directory_that_cannot_be_so_that_a_doctor_can_look(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    url = f"sqlite:///{tmp_path}/file/ledger.sqlite3"
    settings = load_settings({"MONGOCLAW_DATABASE__URL": url}, directory=tmp_path)
    assert databases(settings)["default"]["NAME"] == f"{tmp_path}/file/ledger.sqlite3"
