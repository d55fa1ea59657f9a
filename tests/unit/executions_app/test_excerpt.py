"""What is kept of a message that nobody understands."""

from __future__ import annotations

import time

import pytest

from executions_app.strays import EXCERPT, excerpt

KEY = "sk-abcdefghijklmnopqrstuvwxyz0123"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"password": "{KEY}", "n": 1}}',
        f'{{\\"password\\": \\"{KEY}\\"}}',
        f"api_key={KEY}&n=1",
        f"Authorization: Bearer {KEY}",
        f"mongodb://user:{KEY}@host/db",
        f"it is {KEY}",
        '{"password": "x ' + KEY,
        "PASSWORD='" + KEY,
        "the_name_of_the_one_and_only_database_of_billing_password=x-" + KEY,
    ],
)
def test_secrets_are_masked(body: str) -> None:
    shown = excerpt(body.encode())
    assert KEY not in shown
    assert "[masked]" in shown


def test_what_is_no_secret_is_kept() -> None:
    assert excerpt(b'{"max_words": 5,\n  "name": "x"}') == '{"max_words": 5, "name": "x"}'


def test_it_is_short_and_storable_whatever_the_body_is() -> None:
    assert len(excerpt(b"a b " * 10_000)) == EXCERPT
    assert "\0" not in excerpt(b"\0\xff\xfe")
    assert excerpt(b"") == ""


def test_a_secret_across_the_end_is_not_shown_in_part() -> None:
    assert "sk-abc" not in excerpt(b"x " * (EXCERPT // 2 - 8) + KEY.encode())


def test_a_body_that_is_one_long_word_does_not_hold_up_the_worker() -> None:
    started = time.process_time()
    excerpt(b"-" * 10_000)
    assert time.process_time() - started < 0.3
