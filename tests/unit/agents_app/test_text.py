"""YAML and JSON text: what is read, what is refused, and where the text is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import load_spec, read_text

YAML = """\
id: triage
name: Triage
watch:
  database: shop
  collection: tickets
ai:
  prompt: "Sort: {{ document.text }}"
write:
  target_field: ai
"""


def _refusal(text: str) -> str:
    with pytest.raises(SpecInvalid) as caught:
        load_spec(text)
    return str(caught.value)


def test_yaml_and_json_say_the_same() -> None:
    from_yaml = load_spec(YAML).spec
    assert load_spec(json.dumps(read_text(YAML).value, indent="\t")).spec == from_yaml


def test_json_keeps_what_yaml_would_read_otherwise() -> None:
    text = '{"a": "\\ud83d\\ude00", "b": 1e3, "c": [], "d": {}, "e": "no", "f": [true, false, null]}'
    assert read_text(text).value == json.loads(text)


def test_the_flow_style_of_yaml_is_not_taken_for_json() -> None:
    assert read_text('{"a": b, c: [1]}').value == {"a": "b", "c": [1]}


def test_a_byte_order_mark_does_not_hurt() -> None:
    assert load_spec("\ufeff" + YAML).spec.id == "triage"


def test_a_bare_date_is_a_date_in_the_filter_and_text_elsewhere() -> None:
    text = YAML.replace("write:", "metadata: {since: 2026-01-31}\nwrite:").replace(
        "  collection: tickets", "  collection: tickets\n  filter: {at: {$gte: 2026-01-31}, by: '2026-01-31'}"
    )
    agent = load_spec(text).spec
    assert agent.metadata == {"since": "2026-01-31"}
    assert agent.watch.filter == {"at": {"$gte": datetime(2026, 1, 31, tzinfo=UTC)}, "by": "2026-01-31"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("# only a comment\n", "the text is empty"),
        ("just words", "an agent must be a mapping of keys to values (line 1)"),
        ("- a\n- b", "an agent must be a mapping of keys to values (line 1)"),
        (
            "a: [1, 2",
            "the text is not valid YAML: expected ',' or ']', but got '<stream end>' (line 1, column 9)",
        ),
        ("a: b: c", "the text is not valid YAML: mapping values are not allowed here (line 1, column 5)"),
        (
            "a:\n\tb: 1",
            (
                "the text is not valid YAML: found character '\\t' that cannot start any token"
                " (line 2, column 1)"
            ),
        ),
        ("a: \x07", "the text is not valid YAML: the character 7 is not allowed (line 1)"),
        (
            "---\na: 1\n---\nb: 1\n",
            "the text holds more than one document; give one agent per text (line 3, column 1)",
        ),
        ("id: a\nname: b\nid: c", "id: is given twice, first in line 1 (line 3, column 1)"),
        ("ai:\n  x: 1\n  x: 2", "ai.x: is given twice, first in line 2 (line 3, column 3)"),
        ('{"a": 1,\n "a": 2}', "a: is given twice, first in line 1 (line 2, column 2)"),
        ('{"a": {"b": 1, "b": 1}}', "a.b: is given twice, first in line 1 (line 1, column 16)"),
        ('{"a": ', "the text is not valid JSON: expecting value (line 1, column 7)"),
        ('{"a": 1 "b": 2}', "the text is not valid JSON: ',' or '}' is expected (line 1, column 9)"),
        ('{"a": ["1" 2]}', "the text is not valid JSON: ',' or ']' is expected (line 1, column 12)"),
        ('{"a" 1]', "the text is not valid JSON: ':' is expected (line 1, column 6)"),
        (
            '{"a": 1} [',
            "the text is not valid JSON: there is text after the end of the value (line 1, column 10)",
        ),
        ('{"a": "\n', "the text is not valid JSON: invalid control character at (line 1, column 8)"),
        ("<<: {a: 1}", "merge keys (<<) are not supported (line 1, column 1)"),
        ("yes: 1", "yes: the key must be text; put it in quotes (line 1, column 1)"),
        ("[1]: 1", "a key must be text (line 1, column 1)"),
        (
            "a: !!python/name:os.system ''",
            "a: the tag !!python/name:os.system is not supported (line 1, column 4)",
        ),
        ("a: !!set {b}", "a: the tag !!set is not supported (line 1, column 4)"),
        ("a: !!binary aGk=", "a: the tag !!binary is not supported (line 1, column 4)"),
        ("a: !secret b", "a: the tag !secret is not supported (line 1, column 4)"),
        ("a: !!int b", "a: 'b' is not a valid int (line 1, column 4)"),
        (
            "watch: {filter: {a: 2026-13-01}}",
            "watch.filter.a: '2026-13-01' is not a valid timestamp (line 1, column 21)",
        ),
        ("a: *nowhere", "the text is not valid YAML: found undefined alias 'nowhere' (line 1, column 4)"),
        (
            "a: &a [*a]",
            "an alias refers to a value that it is a part of, or is nested too deep (line 1, column 4)",
        ),
    ],
)
def test_a_text_that_cannot_be_read_is_told_where(text: str, message: str) -> None:
    assert _refusal(text) == message


def test_a_wrong_value_is_told_with_line_and_column() -> None:
    text = YAML.replace("  prompt", "  temperature: 3\n  temprature: 1\n  prompt")
    assert _refusal(text) == (
        "ai.temperature: must be ≤ 2 (line 7, column 3); "
        "ai.temprature: unknown key; did you mean ai.temperature? (line 8, column 3)"
    )


def test_a_missing_value_is_told_with_the_line_of_its_section() -> None:
    assert (
        _refusal(YAML.replace("  database: shop\n", "")) == "watch.database: is required (line 3, column 1)"
    )
    assert _refusal(YAML.replace("name: Triage\n", "")) == "name: is required"


def test_json_tells_places_too() -> None:
    text = json.dumps({**read_text(YAML).value, "ai": {"prompt": 5}}, indent=2)
    assert _refusal(text) == "ai.prompt: must be text; put it in quotes (line 9, column 5)"


def test_the_error_names_the_text_it_is_about() -> None:
    with pytest.raises(SpecInvalid) as caught:
        load_spec("id: a", source="agents/a.yaml")
    assert caught.value.details == {"source": "agents/a.yaml"}


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_laughs(9), "aliases expand to more than 20,000 values"),
        ("a: &a [x]\nb: [" + "*a, " * 101 + "]", "holds more than 100 aliases"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("- " * 50_000 + "x", "nested deeper than 64 levels"),
        ("{a: " * 1000, "nested deeper than 64 levels"),
        ('{"a":' * 30_000, "nested deeper than 64 levels"),
        ('{"a":' + "[" * 100_000, "nested deeper than 64 levels"),
        ("a: [" + "1," * 50_000 + "]", "more than 20,000 values"),
        ('{"a": [' + "1," * 50_000 + "1]}", "more than 20,000 values"),
        ("x" * 300_000, "longer than 262,144 characters"),
        ("a: " + "9" * 5000, "is not a valid int"),
        ('{"a": ' + "9" * 5000 + "}", "is not allowed"),
    ],
    ids=range(12),
)
@pytest.mark.timeout(20)
def test_a_text_made_to_exhaust_us_is_refused(text: str, message: str) -> None:
    assert message in _refusal(text)


def test_a_few_aliases_are_fine() -> None:
    assert read_text("a: &a [1, 2]\nb: *a\nc: *a").value == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
