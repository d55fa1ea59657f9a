"""What stands in the pages of the documentation can be so; tests/acceptance/test_pages.py runs it."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path

import click
import pytest
from dotenv import dotenv_values
from yaml import safe_load

from agents_app.spec import SpecInvalid, load_policy, parse_spec
from mongoclaw_project.cli.main import mongoclaw
from mongoclaw_project.config import load_settings
from tests.pages import PAGES, ROOT, Block, blocks, blocks_of, commands_of

EVERY_PAGE = sorted({*PAGES, *ROOT.glob("docs/**/*.md")})
LANGUAGES = {"console", "python", "dotenv", "json", "yaml"}
COMMANDS = sorted({line for page in PAGES for line in commands_of(page)})
AN_AGENT = {
    "id": "any",
    "name": "Any",
    "watch": {"database": "any", "collection": "any"},
    "ai": {"model": "gpt-4o-mini", "prompt": "Any"},
    "write": {"target_field": "any"},
}
ALL = [block for page in PAGES for block in blocks_of(page)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


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


def is_only_named(words: list[str]) -> bool:
    """Whether a sentence speaks of a command, or a group of them, without saying how to call it."""
    command: click.Command = mongoclaw
    for word in words:
        found = (
            command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        )
        if found is None:
            return False
        command = found
    return True


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_a_page_shows_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)[1:]
    if not is_only_named(words):
        parse(words)


def test_the_commands_are_found_in_sentences_and_in_consoles() -> None:
    assert len(COMMANDS) > 50
    assert "mongoclaw dlq export" in COMMANDS
    assert "mongoclaw streams replay helpdesk --from -2h --to -1h" in COMMANDS


@pytest.mark.parametrize("line", ["mongoclaw agents creat", "mongoclaw dev --prt 1", "mongoclaw nothing"])
def test_a_command_that_does_not_exist_would_be_noticed(line: str) -> None:
    words = shlex.split(line)[1:]
    assert not is_only_named(words)
    with pytest.raises(click.UsageError):
        parse(words)


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.place)
def test_every_block_of_code_is_of_a_kind_that_is_run_or_checked(block: Block) -> None:
    assert block.language in LANGUAGES, "say ```console and the like; indented code is run by nobody"
    match block.language:
        case "console":
            assert block.lines[0].startswith("$ ")
        case "dotenv":
            values = dotenv_values(stream=io.StringIO(block.text))
            load_settings({name: value or "" for name, value in values.items()})
        case "json":
            json.loads(block.text)
        case "yaml":
            check_yaml(block.text)


def check_yaml(text: str) -> None:
    """Read a policy, which has a name, or some fields of an agent; raises SpecInvalid."""
    if "name" in safe_load(text):
        load_policy(text)
    else:
        parse_spec(AN_AGENT | safe_load(text))


@pytest.mark.parametrize("policy", sorted(ROOT.glob("examples/policies/*.yaml")), ids=name_of)
def test_an_example_of_a_policy_stands_in_its_page_as_it_is(policy: Path) -> None:
    text = policy.read_text(encoding="utf-8")
    assert load_policy(text).spec.name == policy.stem
    assert any(block.text == text for block in ALL)


@pytest.mark.parametrize("text", ["polcy: {use: one}", "name: one\naction: dance"])
def test_yaml_that_would_be_refused_is_found(text: str) -> None:
    with pytest.raises(SpecInvalid):
        check_yaml(text)


def test_code_without_a_kind_is_found() -> None:
    page = "Say:\n\n    mongoclaw info\n    mongoclaw dev\n\n```\nls\n```\n"
    excused = "\n<!-- not run: long -->\n```console\n$ make\n```\n"
    found = list(blocks(page + excused, page="p"))
    assert [(block.place, block.language, block.excuse) for block in found] == [
        ("p:3", "", ""),
        ("p:6", "", ""),
        ("p:11", "console", "long"),
    ]


def test_an_excuse_that_excuses_nothing_is_found() -> None:
    for page in PAGES:
        told = re.findall(r"^<!-- not run", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert len(told) == sum(bool(block.excuse) for block in blocks_of(page)), page


def links_of(page: Path) -> list[Path]:
    """The files that a page links to."""
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [page.parent / link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_what_a_page_links_to_exists(page: Path) -> None:
    assert [str(file) for file in links_of(page) if not file.exists()] == []


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_a_page_names_no_place_of_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|Users|tmp|work)/|pypi|npmjs", text)
