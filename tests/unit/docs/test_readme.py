from __future__ import annotations

import ast
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from agents_app.spec import load_spec
from enrichment.prompt import PromptContext, compile_prompt
from mongoclaw_project.cli.main import mongoclaw

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STREAMS = (ROOT / "docs/streams.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
SPANS = re.findall(r"`([^`\n]+)`", README + STREAMS)


def code_lines() -> list[str]:
    """Every line of code of the pages with commands: inline, indented, and in blocks without their prompts."""
    lines = re.findall(r"^(?:\$ | {4})(.+)$", README + STREAMS, flags=re.MULTILINE)
    return [*SPANS, *lines]


def commands() -> list[str]:
    found = [line.partition("  #")[0].strip() for line in code_lines()]
    return sorted({line for line in found if re.match(r"mongoclaw [a-z]", line)})


def verbs() -> list[str]:
    return sorted({match[1] for line in code_lines() if (match := re.match(r"make ([a-z-]+)", line))})


def named_tests() -> list[str]:
    return sorted({span for span in SPANS if re.fullmatch(r"test_\w+", span)})


def names(page: Path) -> list[Path]:
    """The files that a page links to."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [page.parent / link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]


@pytest.fixture(scope="module")
def all_tests() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return frozenset(re.findall(r"^def (test_\w+)\(", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", named_tests())
def test_a_test_that_the_readme_names_exists(name: str, all_tests: frozenset[str]) -> None:
    assert name in all_tests


def test_every_guarantee_names_a_test() -> None:
    table = README.partition("| guarantee | test |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("|").split(" | ") for row in table.splitlines() if not row.startswith("| **")]
    assert len(rows) > 20
    assert [row[0] for row in rows if not re.fullmatch(r"(`test_\w+`,? ?)+\s*", row[-1].strip())] == []


def parse(words: list[str]) -> None:
    """Read a command line as `mongoclaw` would, without running it; raises click's errors."""
    command: click.Command = mongoclaw
    name: str | None = "mongoclaw"
    while True:
        context = command.make_context(name, list(words))
        if not isinstance(command, click.Group):
            return
        rest = [*context._protected_args, *context.args]
        name, found, words = command.resolve_command(context, rest)
        assert found is not None
        command = found


@pytest.mark.parametrize("line", commands())
def test_a_command_that_the_readme_shows_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parse(shlex.split(line)[1:])


@pytest.mark.parametrize("line", ["mongoclaw agents creat", "mongoclaw dev --prt 1", "mongoclaw nothing"])
def test_a_command_that_does_not_exist_would_be_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(shlex.split(line)[1:])


@pytest.mark.parametrize("verb", verbs())
def test_a_verb_that_the_readme_names_is_in_the_makefile(verb: str) -> None:
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_exists(page: Path) -> None:
    assert [str(file) for file in names(page) if not file.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_place_of_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|Users|tmp|work)/|pypi|npmjs", text)


def test_the_readme_shows_every_example_and_every_mode() -> None:
    assert len(list((ROOT / "examples/agents").glob("*.yaml"))) == 12
    assert "[twelve examples](examples/agents/)" in README
    assert all(f"| `{mode}`" in README for mode in ("eventual", "strict_post_commit", "shadow"))


def golden_document() -> dict[str, object]:
    """The document that the golden path inserts."""
    block = README.partition("```python\n")[2].partition("```")[0]
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
