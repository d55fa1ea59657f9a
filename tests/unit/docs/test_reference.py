from __future__ import annotations

import re
from pathlib import Path

import pytest

from agents_app.spec import NO_EFFECT, Strategy, known_paths
from docs.generate.figures import block, source_of, with_figures
from docs.generate.meanings import MEANINGS
from docs.generate.metrics import rules
from docs.generate.pages import PAGES
from docs.generate.reasons import POLICY_AND_WRITE, error_classes, first_line
from executions_app.metrics.declared import named
from executions_app.metrics.metric import Kind
from executions_app.states import Reason

ROOT = Path(__file__).parents[3]
PACKAGES = ("agents_app", "enrichment", "executions_app", "mongoclaw_project", "tasks", "watcher")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("name", PAGES)
def test_the_readme_links_to_every_page(name: str) -> None:
    assert f"(docs/reference/{name})" in README


def test_every_setting_of_an_agent_has_a_meaning_and_no_other_has() -> None:
    assert set(MEANINGS) == set(known_paths())


@pytest.mark.parametrize("path", list(MEANINGS))
def test_a_meaning_is_a_sentence(path: str) -> None:
    assert re.fullmatch(r"[A-Z`].*\.", MEANINGS[path])


@pytest.fixture(scope="module")
def code() -> str:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    skipped = (ROOT / "agents_app/spec", ROOT / "mongoclaw_project/config")
    read = [file for file in files if not any(file.is_relative_to(folder) for folder in skipped)]
    return "\n".join(file.read_text(encoding="utf-8") for file in read)


@pytest.mark.parametrize("path", sorted(NO_EFFECT))
def test_a_setting_without_effect_is_read_by_nothing_and_the_readme_says_so(path: str, code: str) -> None:
    field = path.rpartition(".")[2]
    read = rf"\b(spec|ai|write|watch|execution|policy)\.{field}\b"
    assert not re.search(read, code), f"{path} has an effect: take it out of NO_EFFECT"
    assert f"`{field}`" in README or f"`{path}`" in README


@pytest.mark.parametrize("path", sorted(path for path in MEANINGS if "." in path and path not in NO_EFFECT))
def test_a_setting_with_an_effect_is_read_by_something(path: str, code: str) -> None:
    spec = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "agents_app/spec").glob("*.py"))
    field = path.rpartition(".")[2]
    by_strategy = path.startswith("write.") and field in {strategy.needs for strategy in Strategy}
    assert by_strategy or re.search(rf"\.{field}\b", code + spec)


def test_every_metric_has_a_name_of_its_own_and_a_sentence() -> None:
    metrics = list(named().values())
    assert len(metrics) > 60
    names = sorted(metric.name for metric in metrics)
    assert names == sorted(set(names))
    assert [one.name for one in metrics if not re.fullmatch(r"[A-Z0-9].*\.", one.help)] == []
    assert [one.name for one in metrics if (one.kind is Kind.COUNTER) != one.name.endswith("_total")] == [
        "agents_total"  # a gauge by the contract
    ]


def test_every_alert_says_what_it_means() -> None:
    assert [rule["alert"] for rule in rules() if not rule["annotations"]["description"].endswith(".")] == []


def test_every_reason_is_on_the_page() -> None:
    page = PAGES["reasons.md"]()
    assert [reason.value for reason in Reason if f"| `{reason.value}` |" not in page] == []


def test_reasons_that_the_enrichment_decides_are_those_that_it_writes(code: str) -> None:
    actions = ("enrich", "tag", "block", "skip")
    assert {f"policy_simulation_{action}" for action in actions} <= set(POLICY_AND_WRITE)
    assert all(f'"{code_}"' in code for code_ in ("strict_version_conflict", "hash_conflict"))
    assert not set(POLICY_AND_WRITE) & {reason.value for reason in Reason}


def test_every_error_has_a_code_of_its_own_and_a_sentence() -> None:
    kinds = error_classes()
    assert len(kinds) > 40
    codes = sorted(kind.code for kind in kinds)
    assert codes == sorted(set(codes))
    assert [kind.__name__ for kind in kinds if not re.fullmatch(r"[A-Z].*[^ ]\.", first_line(kind))] == []


def test_the_figures_are_those_of_the_file_that_the_readme_names() -> None:
    assert with_figures(README, source_of(README)) == README, "run `make docs`"


def test_figures_appear_nowhere_without_their_source() -> None:
    assert source_of(README) is not None or not re.search(r"\d", block(README))
