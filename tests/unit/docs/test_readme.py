from __future__ import annotations

import ast
import re
from datetime import UTC, datetime

import pytest

from agents_app.spec import load_spec
from enrichment.prompt import PromptContext, compile_prompt
from tests.pages import README, ROOT, blocks_of, spans_of

TEXT = README.read_text(encoding="utf-8")
SPANS = spans_of(README)


def verbs() -> list[str]:
    lines = [*SPANS, *(step.command for block in blocks_of(README) for step in block.steps())]
    return sorted({match[1] for line in lines if (match := re.match(r"make ([a-z-]+)", line))})


def named_tests() -> list[str]:
    return sorted({span for span in SPANS if re.fullmatch(r"test_\w+", span)})


@pytest.fixture(scope="module")
def all_tests() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return frozenset(re.findall(r"^def (test_\w+)\(", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", named_tests())
def test_a_test_that_the_readme_names_exists(name: str, all_tests: frozenset[str]) -> None:
    assert name in all_tests


def test_every_guarantee_names_a_test() -> None:
    table = TEXT.partition("| guarantee | test |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("|").split(" | ") for row in table.splitlines() if not row.startswith("| **")]
    assert len(rows) > 20
    assert [row[0] for row in rows if not re.fullmatch(r"(`test_\w+`,? ?)+\s*", row[-1].strip())] == []


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_that_the_readme_names_is_in_the_makefile(verb: str) -> None:
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_readme_shows_every_example_and_every_mode() -> None:
    assert len(list((ROOT / "examples/agents").glob("*.yaml"))) == 12
    assert "[twelve examples](examples/agents/)" in TEXT
    assert all(f"| `{mode}`" in TEXT for mode in ("eventual", "strict_post_commit", "shadow"))


def golden_document() -> dict[str, object]:
    """The document that the golden path inserts."""
    block = TEXT.partition("```python\n")[2].partition("```")[0]
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    insert = next(call for call in calls if ast.unparse(call.func) == "tickets.insert_one")
    document: dict[str, object] = ast.literal_eval(insert.args[0])
    return document


def test_the_document_of_the_golden_path_fits_its_agent() -> None:
    spec = load_spec((ROOT / "examples/agents/support.yaml").read_text(encoding="utf-8")).spec
    document = golden_document()
    context = PromptContext(
        document=document, event={}, operation="insert", agent={}, now=datetime(2026, 11, 21, tzinfo=UTC)
    )
    assert spec.watch_namespace == ("helpdesk", "tickets")
    assert document["status"] == "open"
    assert str(document["body"]) in compile_prompt(spec).render(context).user


def test_the_picture_needs_nothing_from_elsewhere_and_knows_the_dark() -> None:
    picture = (ROOT / "docs/architecture.svg").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"']+", picture) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<image|<script|@import|@font-face|url\((?!#)", picture)
    assert "prefers-color-scheme: dark" in picture
