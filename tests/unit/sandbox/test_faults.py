"""The script of faults decides by count, prompt, chance and time."""

from __future__ import annotations

import pytest

from sandbox.model.faults import BadRule, FaultKind, FaultRule, FaultScript, parse_rule


def _script(*rules: FaultRule) -> FaultScript:
    script = FaultScript()
    script.add(list(rules))
    return script


def test_a_rule_for_three_calls_meets_three() -> None:
    script = _script(FaultRule(FaultKind.ERROR_500, times=3))
    met = [script.next_for("prompt", now=0.0) is not None for _ in range(5)]
    assert met == [True, True, True, False, False]


def test_a_rule_for_some_prompts_leaves_others_alone() -> None:
    script = _script(FaultRule(FaultKind.REFUSAL, contains="order 7"))
    assert script.next_for("about order 8", now=0.0) is None
    assert script.next_for("about order 7", now=0.0) is not None


def test_a_rule_of_an_hour_ends_after_an_hour() -> None:
    rule = parse_rule({"kind": "unavailable", "seconds": 3600}, now=100.0)
    script = _script(rule)
    assert script.next_for("p", now=3699.0) is rule
    assert script.next_for("p", now=3700.0) is None


def test_chance_is_the_same_for_the_same_seed() -> None:
    outcomes = []
    for _ in range(2):
        script = _script(FaultRule(FaultKind.RESET, probability=0.3, seed=4))
        outcomes.append([script.next_for("p", now=0.0) is not None for _ in range(200)])
    assert outcomes[0] == outcomes[1]
    assert 30 < sum(outcomes[0]) < 90


def test_the_first_rule_that_meets_decides() -> None:
    script = _script(FaultRule(FaultKind.HTML, contains="x"), FaultRule(FaultKind.EMPTY))
    first, second = script.next_for("x", now=0.0), script.next_for("y", now=0.0)
    assert first is not None
    assert second is not None
    assert (first.kind, second.kind) == (FaultKind.HTML, FaultKind.EMPTY)


@pytest.mark.parametrize("data", [{"kind": "fire"}, {}, {"kind": "hang", "tmies": 3}])
def test_a_rule_that_is_not_understood_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(BadRule, match=r"known|none of"):
        parse_rule(data, now=0.0)
