from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from enrichment.fingerprint import fingerprint
from enrichment.prompt import RenderedPrompt

TEXTS = st.text(max_size=20)
INPUTS = st.tuples(TEXTS, st.none() | TEXTS, TEXTS)


def _of(triple: tuple[str, str | None, str], reads: frozenset[str] | None = None) -> str:
    content_hash, system, user = triple
    return fingerprint(content_hash, RenderedPrompt(system, user, reads))


@given(INPUTS)
def test_it_is_32_hexadecimal_digits_and_always_the_same(triple: tuple[str, str | None, str]) -> None:
    assert re.fullmatch("[0-9a-f]{32}", _of(triple))
    assert _of(triple) == _of(triple, frozenset({"a"}))


@given(INPUTS, INPUTS)
def test_it_differs_when_the_version_or_a_prompt_differs(
    one: tuple[str, str | None, str], other: tuple[str, str | None, str]
) -> None:
    assert (_of(one) == _of(other)) is (one == other)


def test_no_system_prompt_is_not_an_empty_one() -> None:
    assert _of(("hash", None, "user")) != _of(("hash", "", "user"))


def test_text_moved_from_one_prompt_to_the_other_changes_it() -> None:
    assert _of(("hash", "ab", "c")) != _of(("hash", "a", "bc"))
