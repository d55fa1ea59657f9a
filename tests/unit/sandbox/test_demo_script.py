"""The demo's documents and the script of what happens to them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from sandbox.demo.documents import TEXT_FIELD, make_documents
from sandbox.demo.intro import choose_model
from sandbox.demo.script import write_script


def test_the_same_seed_makes_the_same_script() -> None:
    assert write_script(200, Random(7)) == write_script(200, Random(7)) != write_script(200, Random(8))


def test_every_text_belongs_to_one_state_of_one_document() -> None:
    steps = write_script(200, Random(2026))
    texts = [
        source[TEXT_FIELD[step.namespace]]
        for step in steps
        for source in (step.document, step.changes.get("$set", {}))
        if TEXT_FIELD[step.namespace] in source
    ]
    assert len(texts) == len(set(texts)) > 200


def test_no_text_contains_another() -> None:
    texts = [document[TEXT_FIELD[namespace]] for namespace, document in make_documents(200, Random(2026))]
    assert not [(one, other) for one in texts for other in texts if one is not other and one in other]


@pytest.mark.parametrize("count", [1, 10, 60, 200])
def test_a_change_never_comes_before_its_document(count: int) -> None:
    seen: list[object] = []
    for step in write_script(count, Random(3)):
        if step.kind == "insert":
            seen.append(step.document_id)
        else:
            assert step.document_id in seen
    assert len(seen) == count


def test_there_is_something_of_everything() -> None:
    kinds = Counter(step.kind for step in write_script(200, Random(2026)))
    assert kinds["insert"] == 200
    assert min(kinds[kind] for kind in ("edit", "glance", "delete", "reopen")) >= 3
    documents = [document for _, document in make_documents(200, Random(2026))]
    assert {type(document["_id"]).__name__ for document in documents} == {"ObjectId", "str", "int"}
    assert any(document.get("status") == "closed" for document in documents)


def test_without_a_key_nothing_is_asked() -> None:
    assert choose_model({}, 200, yes=False, ask=lambda _: pytest.fail("asked"), can_ask=True) is None


def test_a_real_model_is_named_with_its_price_and_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"OPENAI_API_KEY": "sk-very-secret"}
    refused = choose_model(environ, 200, yes=False, ask=lambda _: "", can_ask=True)
    accepted = choose_model(environ, 200, yes=False, ask=lambda _: "y", can_ask=True)
    assert refused is None
    assert accepted is not None
    told = capsys.readouterr().out
    assert "gpt-4o-mini" in told
    assert "$0.05" in told
    assert "sk-very-secret" not in told


def test_without_a_terminal_money_is_spent_only_with_yes() -> None:
    environ = {"ANTHROPIC_API_KEY": "k"}
    assert choose_model(environ, 200, yes=False, ask=lambda _: "y", can_ask=False) is None
    assert choose_model(environ, 200, yes=True, ask=lambda _: "n", can_ask=False) is not None
