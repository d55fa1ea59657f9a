from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import mongoclaw_project

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements.lock", "requirements.runtime.lock", "requirements.server.lock")
VERBS = ("install", "demo", "test", "lint", "bench", "faults", "clean")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index|--find-links|file:", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text(encoding="utf-8").strip())
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_locks_agree() -> None:
    everything = locked("requirements.lock")
    runtime = locked("requirements.runtime.lock")
    assert locked("requirements.server.lock").items() <= runtime.items() <= everything.items()
    assert "pytest" not in runtime


def test_every_dependency_is_locked(project: dict[str, Any]) -> None:
    wanted = [
        *project["project"]["dependencies"],
        *(item for extra in project["project"]["optional-dependencies"].values() for item in extra),
        *project["dependency-groups"]["dev"],
    ]
    names = {re.split(r"[\[<>=;\s]", item)[0].lower() for item in wanted}
    assert names <= set(locked("requirements.lock"))


def test_litellm_is_pinned_exactly(project: dict[str, Any]) -> None:
    assert "litellm==1.106.2" in project["project"]["dependencies"]
    assert locked("requirements.lock")["litellm"] == "1.106.2"


def test_the_version_is_one(project: dict[str, Any]) -> None:
    assert project["project"]["dynamic"] == ["version"]
    assert mongoclaw_project.__version__ == "2.0.0"


@pytest.mark.parametrize("verb", VERBS)
def test_make_has_the_verb(verb: str) -> None:
    done = subprocess.run(["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def product_files(project: dict[str, Any]) -> list[Path]:
    """All modules that mypy reads but the tests."""
    packages = [name.replace(".", "/") for name in project["tool"]["mypy"]["packages"] if name != "tests"]
    found = (file for package in packages for file in sorted((ROOT / package).rglob("*.py")))
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)]


def test_no_source_holds_an_unfinished_thought(project: dict[str, Any]) -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        str(file.relative_to(ROOT))
        for file in product_files(project)
        if marks.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_module_is_longer_than_300_lines(project: dict[str, Any]) -> None:
    long = [
        f"{file.relative_to(ROOT)}: {lines}"
        for file in product_files(project)
        if "migrations" not in file.parts and (lines := file.read_text(encoding="utf-8").count("\n")) > 300
    ]
    assert long == []


def test_what_ci_runs_is_a_shell_script_that_lints_and_tests() -> None:
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)
    assert script.read_text(encoding="utf-8").rstrip().endswith("make lint\nmake test")
