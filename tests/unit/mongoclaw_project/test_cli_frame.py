from __future__ import annotations

import json
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from agents_app.errors import AgentNotFound
from docs.generate.commands import EXIT_CODES
from mongoclaw_project.cli import main as cli
from mongoclaw_project.cli.command import Command, Group
from mongoclaw_project.cli.config import as_environment, masked
from mongoclaw_project.cli.info import facts_of
from mongoclaw_project.cli.lazy import Later, LazyGroup
from mongoclaw_project.cli.output import CommandFailed, done, fail, report, show
from mongoclaw_project.cli.server import gunicorn_words
from mongoclaw_project.config import load_settings
from mongoclaw_project.config.names import setting_names

SECRETS = {
    "MONGOCLAW_MONGODB__URI": "mongodb://u:hunter2@h:1/db?x=y&authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
    "MONGOCLAW_REDIS__URL": "redis://h:6379/0?password=hunter2&socket_timeout=5",
    "MONGOCLAW_SECURITY__SECRET_KEY": "hunter2",
    "MONGOCLAW_SECURITY__API_KEYS": "hunter2,hunter2",
    "MONGOCLAW_DATABASE__URL": "postgresql://u:hunter2@h/d?sslpassword=hunter2",
}


@click.group(cls=Group)
def tools() -> None:
    """Commands of this test."""


@tools.command()
def greet() -> None:
    """Say hello."""
    done("Said hello", to="you")


@tools.command()
def numbers() -> None:
    """Show numbers."""
    show([1, 2], text="1 and 2")


def run(*words: str) -> str:
    result = CliRunner().invoke(tools, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("words", [("--json", "numbers"), ("numbers", "--json")])
def test_json_may_be_asked_for_before_or_after_the_command(words: tuple[str, ...]) -> None:
    assert json.loads(run(*words)) == [1, 2]


def test_without_json_the_text_is_printed() -> None:
    assert run("numbers") == "1 and 2\n"
    assert run("greet") == "✓ Said hello\n"
    assert json.loads(run("greet", "--json")) == {"message": "Said hello", "to": "you"}


def test_a_commands_own_json_option_is_left_alone() -> None:
    @click.command(cls=Command)
    @click.option("--json", "body")
    def send(body: str) -> None:
        click.echo(body)

    assert CliRunner().invoke(send, ["--json", "{}"]).output == "{}\n"


def test_groups_within_groups_have_the_common_options() -> None:
    @tools.group(name="deep")
    def deep() -> None:
        """Deeper commands."""

    @deep.command(name="leaf")
    def leaf() -> None:
        """Do it."""
        show({"a": 1}, text="a")

    assert json.loads(run("deep", "leaf", "--json")) == {"a": 1}


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            AgentNotFound(agent_id="x"),
            1,
            "✗ Agent 'x' not found; `mongoclaw agents list` names those there are",
        ),
        (CommandFailed("no\nway"), 1, "✗ no\n✗ way"),
        (ValueError("odd\n thing"), 1, "✗ ValueError: odd thing (--debug shows where)"),
        (KeyboardInterrupt(), 130, "✗ Interrupted"),
        (click.Abort(), 1, "✗ Aborted"),
    ],
)
def test_an_error_is_a_clear_line_on_stderr(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    assert report(error, as_json=False, debug=False) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"{line}\n"


def interrupt(_text: str) -> str:
    raise KeyboardInterrupt


@pytest.mark.parametrize("answer", [None, interrupt])
def test_ctrl_c_exits_with_130_at_a_question_and_elsewhere(
    answer: Callable[[str], str] | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def stopped() -> None:
        if answer is None:
            raise KeyboardInterrupt
        monkeypatch.setattr(click.termui, "visible_prompt_func", answer)
        click.confirm("Go on?", abort=True)

    monkeypatch.setattr(cli, "mongoclaw", stopped)

    with pytest.raises(SystemExit) as ended:
        cli.main([])

    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith("✗ Interrupted\n")


def ask_in_vain() -> None:
    raise click.Abort


ENDS: dict[str, list[Callable[[], None]]] = {
    "0": [lambda: None],
    "1": [lambda: fail("it is so"), lambda: click.get_current_context().exit(1), ask_in_vain],
    "2": [lambda: click.Choice("ab").fail("no")],
    "130": [lambda: click.echo(interrupt(""))],
}


@pytest.mark.parametrize("code", [code for code, *_ in EXIT_CODES])
def test_the_exit_codes_are_those_of_the_reference(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ENDS[code]:
        monkeypatch.setattr(cli, "mongoclaw", click.command("ends")(end))

        with pytest.raises(SystemExit) as ended:
            cli.main([])

        assert str(ended.value.code) == code
        assert capsys.readouterr().out == ""


def test_the_reference_names_every_exit_code() -> None:
    assert [code for code, *_ in EXIT_CODES] == list(ENDS)


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(click.UsageError("no such option"), as_json=False, debug=False) == 2
    assert "no such option" in capsys.readouterr().err


def test_an_error_is_json_when_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    report(AgentNotFound(agent_id="x"), as_json=True, debug=False)
    assert json.loads(capsys.readouterr().err) == {
        "error": {
            "code": "agent_not_found",
            "message": "Agent 'x' not found; `mongoclaw agents list` names those there are",
        }
    }


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        fail("broken", part="it")
    except CommandFailed as error:
        report(error, as_json=False, debug=True)
    assert "Traceback" in capsys.readouterr().err


def test_a_lazy_group_lists_its_commands_without_importing_them() -> None:
    @click.group(cls=LazyGroup, later=(Later("missing_one", "Does not exist.", needs_django=False),))
    def program() -> None:
        """A program."""

    result = CliRunner().invoke(program, ["--help"])
    assert result.exit_code == 0
    assert "missing_one" in result.output
    assert "Does not exist." in result.output


def test_a_command_without_its_module_says_that_the_installation_lacks_it() -> None:
    with pytest.raises(CommandFailed, match="lacks `mongoclaw missing_one`"):
        Later("missing_one", "", needs_django=False).load()


@pytest.mark.parametrize("later", cli.COMMANDS, ids=lambda later: later.name)
def test_every_listed_command_exists_and_is_explained(later: Later) -> None:
    command = later.load()
    assert command.name == later.name
    assert command.help
    assert later.help.endswith(".")


def test_info_shows_places_and_no_credentials() -> None:
    facts = facts_of(load_settings(SECRETS))
    assert facts["mongodb"] == "h:1/db"
    assert facts["database"] == "postgresql"
    assert "hunter2" not in str(facts)


def test_config_masks_secrets_and_nothing_else() -> None:
    values = masked(load_settings(SECRETS | {"MONGOCLAW_AI__DEFAULT_MAX_TOKENS": "99"}))
    assert "hunter2" not in str(values)
    assert values["ai"]["default_max_tokens"] == 99
    assert values["mongodb"]["uri"] == "mongodb://***@h:1/db?x=y&authMechanismProperties=***"
    assert values["redis"]["url"] == "redis://h:6379/0?password=***&socket_timeout=5"
    assert values["security"]["api_keys"] == ["***", "***"]
    assert values["security"]["secret_key"] == "***"


def test_the_env_form_of_config_prints_names_that_are_accepted() -> None:
    lines = list(as_environment(load_settings({})))
    environ = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert load_settings(environ) == load_settings({})
    assert len(lines) == len(list(setting_names()))


def test_the_web_server_runs_threads_and_logs_as_we_do() -> None:
    words = gunicorn_words(load_settings({}), host=None, port=81, workers=None, reload=True)
    assert words[0] == "mongoclaw_project.wsgi"
    assert "--bind=0.0.0.0:81" in words
    assert "--worker-class=gthread" in words
    assert "--reload" in words
    assert "--logger-class=mongoclaw_project.gunicorn_logs.GunicornLogger" in words
