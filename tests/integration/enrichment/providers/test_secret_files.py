"""Secrets that agents name by file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enrichment.errors import ProviderAuthFailed
from enrichment.providers.external import read_target
from enrichment.providers.keys import referenced_key
from enrichment.providers.secret_files import LARGEST


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The directory of the setting, beside which other secrets lie."""
    directory = tmp_path / "secrets"
    directory.mkdir()
    (tmp_path / "other_api_key").write_text("leaked")
    return directory


def refused(reference: str, directory: Path | None, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ProviderAuthFailed) as caught:
        referenced_key(reference, env or {}, directory=directory)
    assert "leaked" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", "s3cret\r\n"])
@pytest.mark.parametrize("name", ["team-a-api-key", "TEAM_A_TOKEN", "team.api.key"])
def test_a_file_holds_a_secret_with_or_without_the_end_of_its_line(
    secrets: Path, name: str, text: str
) -> None:
    (secrets / name).write_text(text, newline="")
    assert referenced_key(f"file:{name}", {}, directory=secrets) == "s3cret"


def test_kubernetes_links_within_the_directory_are_followed(secrets: Path) -> None:
    (secrets / "..2026").mkdir()
    (secrets / "..2026" / "team_api_key").write_text("s3cret")
    (secrets / "..data").symlink_to("..2026")
    (secrets / "team_api_key").symlink_to("..data/team_api_key")
    assert referenced_key("file:team_api_key", {}, directory=secrets) == "s3cret"


@pytest.mark.parametrize(
    "name",
    [
        "../other_api_key",
        "/etc/other_api_key",
        "a/../../other_api_key",
        "..",
        "",
        "x_api_key\0",
        "a/b_api_key",
    ],
)
def test_a_path_is_no_name(secrets: Path, name: str) -> None:
    refused(f"file:{name}", secrets)
    refused(f"file:{secrets.parent}/other_api_key", secrets)


def test_no_link_leads_out_of_the_directory(secrets: Path) -> None:
    (secrets / "team_api_key").symlink_to("../other_api_key")
    assert "leads out" in refused("file:team_api_key", secrets)
    (secrets / "up").symlink_to("..")
    (secrets / "two_api_key").symlink_to("up/other_api_key")
    assert "leads out" in refused("file:two_api_key", secrets)
    (secrets / "loop_api_key").symlink_to("loop_api_key")
    refused("file:loop_api_key", secrets)


def test_what_a_setting_is_read_from_is_no_agents(secrets: Path) -> None:
    (secrets / "claw_api_key").write_text("leaked")
    env = {"MONGOCLAW_SECURITY__API_KEYS_FILE": str(secrets / "claw_api_key")}
    assert "read by a setting" in refused("file:claw_api_key", secrets, env)
    (secrets / "also_api_key").symlink_to("claw_api_key")
    assert "read by a setting" in refused("file:also_api_key", secrets, env)


@pytest.mark.parametrize("name", ["secret_key", "mongoclaw_api_key", "token", "postgres_token", "password"])
def test_files_are_named_as_keys_are_and_not_as_what_mongoclaw_needs_itself(secrets: Path, name: str) -> None:
    (secrets / name).write_text("leaked")
    refused(f"file:{name}", secrets)


def test_the_key_of_a_vendor_goes_to_that_vendor_only(secrets: Path) -> None:
    (secrets / "openai-api-key").write_text("leaked")
    assert "is the key for openai" in refused("file:openai-api-key", secrets)
    assert referenced_key("file:openai-api-key", {}, vendor="openai", directory=secrets) == "leaked"


@pytest.mark.parametrize("content", [b"leaked" * LARGEST, b"leaked\nleaked", b"", b" \n", b"leaked\xff"])
def test_a_file_that_is_no_secret_of_one_line_is_refused_and_not_quoted(
    secrets: Path, content: bytes
) -> None:
    (secrets / "team_api_key").write_bytes(content)
    assert "one line of text" in refused("file:team_api_key", secrets)


def test_neither_a_pipe_nor_a_directory_is_waited_for(secrets: Path) -> None:
    os.mkfifo(secrets / "pipe_api_key")
    (secrets / "dir_api_key").mkdir()
    assert "one line of text" in refused("file:pipe_api_key", secrets)
    refused("file:dir_api_key", secrets)


def test_without_the_setting_and_without_the_file_the_answer_names_the_remedy(secrets: Path) -> None:
    assert "MONGOCLAW_SECURITY__SECRETS_DIR" in refused("file:team_api_key", None)
    assert "There is no file 'team_api_key'" in refused("file:team_api_key", secrets)
    assert "There is no file 'team_api_key'" in refused("file:team_api_key", secrets / "nowhere")


def test_an_external_agents_token_may_stand_in_a_file(secrets: Path) -> None:
    (secrets / "team_token").write_text("s3cret\n")
    extra = {"external_url": "https://agent.example", "external_auth_token": "file:team_token"}
    target = read_target(extra, api_key_ref=None, env={}, secrets_dir=secrets)
    assert target.headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" in target.secrets
    assert "s3cret" not in repr(target)
