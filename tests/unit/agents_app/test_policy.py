"""An agent's policy, its own or a shared one, as a value."""

from __future__ import annotations

from typing import Any

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import (
    PolicyContent,
    content_hash,
    dump_filled_yaml,
    load_policy,
    parse_policy,
    parse_spec,
)

AGENT = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets"},
    "ai": {"prompt": "x"},
    "write": {"target_field": "ai"},
}


def test_nothing_may_stand_beside_the_name_of_a_shared_policy() -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse_spec({**AGENT, "policy": {"use": "sure", "condition": "result.a == 1"}})
    assert str(refused.value) == (
        "policy.condition: is said by the policy 'sure'; leave out this or policy.use"
    )


def test_a_filled_policy_is_written_as_its_author_wrote_it_and_hashed_as_what_it_decides() -> None:
    spec = parse_spec({**AGENT, "policy": {"use": "sure"}}).spec
    assert spec.policy is not None
    filled = [
        spec.model_copy(update={"policy": spec.policy.filled(PolicyContent(condition=text))})
        for text in ("result.a == 1", "result.a == 2")
    ]
    assert [one.model_dump(mode="json")["policy"] for one in filled] == [{"use": "sure"}] * 2
    assert content_hash(filled[0]) != content_hash(filled[1])
    assert "condition: result.a == 1" in dump_filled_yaml(filled[0])
    assert not list(filled[0].problems())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "sure", "conditon": "x"}, "conditon: unknown key; did you mean condition?"),
        ({"name": "sure", "use": "other"}, "use: unknown key"),
        ({"condition": "x"}, "name: is required"),
        ({"name": "Not So"}, "name: must be 1 to 64 characters of a-z"),
        ({"name": "sure", "action": "allow"}, "action: must be one of enrich, block, tag"),
    ],
)
def test_a_shared_policy_that_is_none_is_refused_by_field(data: Any, said: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse_policy(data)
    assert said in str(refused.value)


def test_problems_of_a_policys_text_have_their_line() -> None:
    with pytest.raises(SpecInvalid) as refused:
        load_policy("name: sure\naction: allow\n")
    assert [(problem.path, problem.line) for problem in refused.value.errors] == [("action", 2)]
