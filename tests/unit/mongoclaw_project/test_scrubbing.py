from __future__ import annotations

import pytest

from mongoclaw_project.scrubbing import MASK, is_secret_name, scrub, scrub_text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "api_key",
        "SECRET_KEY",
        "OPENAI_API_KEY",
        "Authorization",
        "x-api-key",
        "token",
        "vault_token",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "prompt_tokens", "key", "document_key", "resume_token_time", "url", "tokens_used"]
)
def test_names_that_only_sound_alike_are_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("mongodb://user:hunter2@h:27017/?a=b", "mongodb://***@h:27017/?a=b"),
        ("mongodb+srv://u:p%40ss@h", "mongodb+srv://***@h"),
        (
            "mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:hunter2,a:b&w=1",
            "mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=***&w=1",
        ),
        (
            "mongodb://h/db?authSource=admin&tlsCertificateKeyFilePassword=hunter2",
            "mongodb://h/db?authSource=admin&tlsCertificateKeyFilePassword=***",
        ),
        (
            "postgresql://h/d?sslmode=require&password=hunter2",
            "postgresql://h/d?sslmode=require&password=***",
        ),
        ("see https://h/hook?api_key=hunter2#a and on", "see https://h/hook?api_key=***#a and on"),
        ("at redis://:hunter2@h and back", "at redis://***@h and back"),
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer ***"),
        ("key sk-proj-abcdefghijklmnop1234 is bad", "key *** is bad"),
        ("key mck_0a1b2c3d_abcdefghijklmnop-rs_u", "key mck_0a1b2c3d_***"),
        ("http://localhost:8000/a@b", "http://localhost:8000/a@b"),
        ("mail me@example.com", "mail me@example.com"),
        ("policy skip_with_gap_record_and_more", "policy skip_with_gap_record_and_more"),
        ("AKIAABCDEFGHIJKLMNOP and hf_abcdefghijklmnopqrst", "*** and ***"),
    ],
)
def test_texts_lose_their_secrets_only(text: str, scrubbed: str) -> None:
    assert scrub_text(text) == scrubbed


def test_nested_values_are_scrubbed_and_the_rest_is_kept() -> None:
    value = {
        "request": {"headers": {"Authorization": "x"}, "urls": ["redis://:p@h", 1]},
        "password": "",
        "max_tokens": 5,
        "none": None,
        "raw": b"sk-abcdefghijklmnopqrst",
    }
    assert scrub(value) == {
        "request": {"headers": {"Authorization": MASK}, "urls": ["redis://***@h", 1]},
        "password": "",
        "max_tokens": 5,
        "none": None,
        "raw": b"sk-abcdefghijklmnopqrst",
    }
