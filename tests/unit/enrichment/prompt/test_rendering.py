from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from agents_app.errors import Decision
from agents_app.spec import AgentSpec, parse_spec
from enrichment.prompt import (
    PromptContext,
    PromptFieldMissing,
    PromptInvalid,
    PromptRenderError,
    RenderedPrompt,
    compile_prompt,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ID = ObjectId("64b7f0c2a1b2c3d4e5f60718")
DOCUMENT: dict[str, Any] = {
    "_id": ID,
    "title": "Lamp",
    "items": ["a", "b"],
    "keys": "K",
    "values": "V",
    "get": "G",
    "copy": "C",
    "nothing": None,
    "price": 12.5,
    "created": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    "owner": {"name": "Zoë", "items": 7, "attrs": {"b": 2, "a": 1}},
    "lines": [{"sku": "x", "n": 2, "on": True}, {"sku": "y", "n": 1, "on": False}],
    "summary": "written by us",
    "_ai_metadata": {"model": "m"},
}
HIDDEN = frozenset({"summary", "_ai_metadata"})


def make_spec(prompt: str, system_prompt: str | None = None) -> AgentSpec:
    return parse_spec(
        {
            "id": "tester",
            "name": "Tester",
            "watch": {"database": "shop", "collection": "things"},
            "ai": {"prompt": prompt, "system_prompt": system_prompt},
            "write": {"target_field": "summary"},
        }
    ).spec


def render_change(prompt: str, before: Mapping[str, Any] | None) -> str:
    context = PromptContext(
        document=DOCUMENT, event={}, operation="update", agent={}, now=NOW, hidden=HIDDEN, before=before
    )
    return compile_prompt(make_spec(prompt)).render(context).user


def test_the_state_before_is_a_document_like_the_other() -> None:
    before = {**DOCUMENT, "title": "Lantern"}

    assert render_change("{{ before.title }} → {{ document.title }}", before) == "Lantern → Lamp"
    assert "written by us" not in render_change("{{ before }}", before)


def test_where_there_is_no_state_before_it_is_null() -> None:
    assert render_change("{{ before.title if before else 'new' }}", None) == "new"
    with pytest.raises(PromptFieldMissing):
        render_change("{{ before.title }}", None)


def test_reading_the_state_before_is_no_reading_of_the_document() -> None:
    context = PromptContext(
        document=DOCUMENT, event={}, operation="update", agent={}, now=NOW, before={"title": "Lantern"}
    )

    assert compile_prompt(make_spec("{{ before.title }}")).render(context).reads == frozenset()


def render(
    prompt: str, document: Mapping[str, Any] = DOCUMENT, system_prompt: str | None = None
) -> RenderedPrompt:
    context = PromptContext(
        document=document,
        event={"operation": "insert", "document_key": {"_id": ID}, "full_document": document},
        operation="insert",
        agent={"id": "tester", "tags": ("t",)},
        now=NOW,
        hidden=HIDDEN,
    )
    return compile_prompt(make_spec(prompt, system_prompt)).render(context)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Name: {{ document.title }}", "Name: Lamp"),
        ("{{ doc['title'] }}", "Lamp"),
        ("{{ document._id }}", str(ID)),
        ("{{ document.created }}", "2026-01-02T03:04:00+00:00"),
        ("{{ document.items }}", '["a", "b"]'),
        ("{{ document.items[1] }}", "b"),
        ("{{ document.items | length }}", "2"),
        ("{{ document.keys }}{{ document.values }}{{ document.get }}{{ document.copy }}", "KVGC"),
        ("{{ document.owner.items }}", "7"),
        ("{{ document.owner }}", '{"name": "Zoë", "items": 7, "attrs": {"b": 2, "a": 1}}'),
        ("{{ document.nothing }}", "None"),
        ("{{ document.lines[-1].sku }}", "y"),
        ("{{ document.title[1:3] }}", "am"),
        ("{{ document.title.upper() ~ '!' }}", "LAMP!"),
        ("{{ document.get('gone', 'x') }}", "x"),
        (
            "{% for name, value in document.owner.attrs.items() %}{{ name }}={{ value }} {% endfor %}.",
            "b=2 a=1 .",
        ),
        ("{% for k in document.owner.attrs.keys() %}{{ k }}{% endfor %}", "ba"),
        ("{% for line in document.lines %}{{ loop.index }}/{{ loop.length }} {% endfor %}.", "1/2 2/2 ."),
        ("{% for l in document.lines if l.on %}{{ l.sku }}{% else %}none{% endfor %}", "x"),
        ("{% for l in document.lines %}{{ loop.cycle('odd', 'even') }} {% endfor %}.", "odd even ."),
        (
            "{% set s = namespace(n=0) %}{% for l in doc.lines %}{% set s.n=s.n+l.n %}{% endfor %}{{ s.n }}",
            "3",
        ),
        ("{% with t = document.title %}{{ t }}{% endwith %}", "Lamp"),
        ("{{ 'dear' if document.price > 10 else 'cheap' }}", "dear"),
        ("{% if document.nothing is none and document.gone is undefined %}yes{% endif %}", "yes"),
        ("{{ document.gone | default('none') }} {{ document.owner.gone is defined }}", "none False"),
        (
            "{{ document.gone.deeper.still | default('none') }} {{ document.gone.deeper is defined }}",
            "none False",
        ),
        ("{{ document.gone[0]['a'][1:3].b | default('none') }}", "none"),
        ("{{ document.nothing.name.first | default('none') }}", "none"),
        ("{{ document.title.name.first | d('none') }}", "none"),
        ("{% for x in document.gone.deeper | default([]) %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{{ document.gone.deeper | default(document.title) }}", "Lamp"),
        ("{{ document is mapping }} {{ document.items is sequence }}", "True True"),
        ("{{ operation }} {{ event.operation }} {{ event.document_key._id }}", f"insert insert {ID}"),
        ("{{ agent.id }} {{ agent.tags[0] }}", "tester t"),
        ("{{ now.year }} {{ now | format_date }} {{ timestamp }}", f"2026 2026-11-20 {NOW.isoformat()}"),
        ("{{ range(3) | join('-') }} {{ 7 // 2 }} {{ 2 ** 10 }} {{ -7 % 3 }}", "0-1-2 3 1024 2"),
        ("{{ '=' * 5 }}", "====="),
        ("{{ '%.2f EUR' | format(document.price) }} {{ '%s/%d%%' % ('a', 3) }}", "12.50 EUR a/3%"),
        ("{{ document.lines | map(attribute='sku') | join(', ') }}", "x, y"),
        ("{{ document.lines | selectattr('on') | map(attribute='n') | sum }}", "2"),
        ("{{ document.lines | sort(attribute='n') | map(attribute='sku') | first }}", "y"),
        (
            "{% for g in doc.lines | groupby('on') %}{{ g.grouper }}{{ g.list | length }} {% endfor %}.",
            "False1 True1 .",
        ),
        ("{{ document.owner.attrs | dictsort }}", '[["a", 1], ["b", 2]]'),
        ("{{ [3, 1, 2] | sort | reverse | list }} {{ [1, 1, 2] | unique | list }}", "[3, 2, 1] [1, 2]"),
        (
            "{{ [1, 2, 3] | batch(2) | list }} {{ [1, 2, 3] | slice(2) | list }}",
            "[[1, 2], [3]] [[1, 2], [3]]",
        ),
        ("{{ '<b>x</b> &amp; <!-- no -->y' | striptags }}", "x & y"),
    ],
)
def test_a_prompt_reads_fields_and_formats_them(prompt: str, text: str) -> None:
    assert render(prompt).user == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("{{ document.owner.attrs | json }}", '{"b": 2, "a": 1}'),
        ("{{ document.items | json(indent=2) }}", '[\n  "a",\n  "b"\n]'),
        ("{{ 'a b c' | truncate_words(2) }} {{ 'a b' | truncate_words(2) }}", "a b... a b"),
        ("{{ 'a b c' | truncate_words(1, suffix='') }}", "a"),
        ("{{ document.nothing | default_if_none('-') }}{{ none | default_if_none }}", "-"),
        ("{{ document.created | format_date('%d.%m.%Y') }}", "02.01.2026"),
        ("{{ '2026-03-04T00:00:00Z' | format_date }} {{ 'soon' | format_date }}", "2026-03-04 soon"),
        ("{{ document | extract_field('owner.attrs.a') }} {{ document | extract_field('a.b') }}", "1 None"),
        (
            "{{ ['a', 'b', 'c'] | list_to_text }} {{ ['a', 'b', 'c'] | list_to_text(last=' and ') }}",
            "a, b, c a, b and c",
        ),
        ("{{ ['a'] | list_to_text('; ', ' or ') }}", "a"),
        ("{{ '{{ x }} \u200b\x07end' | sanitize }}", "{ { x } } end"),
        ("{{ ('x' * 9000 ~ 'y' * 9000) | sanitize | length }}", "10000"),
        ("{{ 'abc' | first_n(2) }} {{ [1, 2, 3] | first_n(2) }}", "ab [1, 2]"),
        ("{{ document.owner.attrs | keys }} {{ document.owner.attrs | values }}", '["b", "a"] [2, 1]'),
    ],
)
def test_the_contracts_filters_work(prompt: str, text: str) -> None:
    assert render(prompt).user == text


def test_the_whole_document_is_printed_without_what_we_wrote() -> None:
    rendered = render("{{ document }} {{ doc | json }} {{ event.full_document }} {{ event }}")

    assert "written by us" not in rendered.user
    assert "_ai_metadata" not in rendered.user
    assert rendered.user.count('"title": "Lamp"') == 4
    assert rendered.reads is None


def test_looping_over_the_document_leaves_out_what_we_wrote() -> None:
    assert render("{% for k in document %}{{ k }} {% endfor %}").user.split() == [
        name for name in DOCUMENT if name not in HIDDEN
    ]
    assert "summary" not in render("{{ document.items() }}{{ document | dictsort }}").user


def test_naming_one_of_our_fields_reads_it() -> None:
    rendered = render("{{ document.summary }}")

    assert rendered.user == "written by us"
    assert rendered.reads == frozenset({"summary"})


def test_the_fields_read_are_known_from_both_prompts() -> None:
    rendered = render(
        "{{ document.title }}{{ document.gone | default('') }}", system_prompt="{{ doc.owner.name }}"
    )

    assert rendered.system == "Zoë"
    assert rendered.reads == frozenset({"title", "gone", "owner"})


def test_an_empty_system_prompt_is_none() -> None:
    assert render("x", system_prompt="  {# nothing #} ").system is None


def test_blank_lines_at_both_ends_go_and_inner_ones_stay() -> None:
    assert render("\n  \n\n  first\n\nlast \n  \n\n").user == "  first\n\nlast "
    assert render("{% if true %}\n  a\n{% endif %}\nb").user == "  a\nb"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{{ document.gone }}", "ai.prompt, line 1: document.gone is missing"),
        ("a\nb\n{{ document.owner.mail }}", "ai.prompt, line 3: document.owner.mail is missing"),
        ("{{ document.gone.deeper.still }}", "document.gone is missing"),
        ("{{ document.gone.deeper | default(document.absent.deeper) }}", "document.absent is missing"),
        ("{{ document.gone[1:3] }}", "document.gone is missing"),
        ("{{ document.gone[0].deeper[1:3] }}", "document.gone is missing"),
        ("{{ document.owner.mail.host }}", "document.owner.mail is missing"),
        ("{{ document['gone'] }}", "document.gone is missing"),
        ("{{ document.lines[7].sku }}", "document.lines[7] is missing: the list has 2 entries"),
        ("{% for l in document.lines %}{{ l.price }}{% endfor %}", "l.price is missing"),
        ("{{ document.nothing.name }}", "document.nothing.name is missing: its owner is null"),
        ("{{ document.title.name }}", "document.title.name is missing: a text has no 'name'"),
        ("{% for x in document.gone %}{% endfor %}", "document.gone is missing"),
        ("{{ document.gone | upper }}", "document.gone is missing"),
        ("{{ document.gone.deeper | upper }}", "document.gone is missing"),
        ("{{ document.gone.deeper | default_if_none('x') }}", "document.gone is missing"),
        ("{% for x in document.gone.deeper %}{% endfor %}", "document.gone is missing"),
        ("{{ [document.gone.deeper] }}", "document.gone is missing"),
        ("{{ 'a' ~ document.gone.deeper }}", "document.gone is missing"),
        ("{{ 1 + document.gone.deeper }}", "document.gone is missing"),
        ("{{ document.gone.deeper == 1 }}", "document.gone is missing"),
        ("{{ document.gone.deeper < 1 }}", "document.gone is missing"),
        ("{{ 1 in document.gone.deeper }}", "document.gone is missing"),
        ("{% if document.gone.deeper %}x{% endif %}", "document.gone is missing"),
        ("{{ document.gone.deeper.upper() }}", "document.gone is missing"),
        ("{{ document.title[document.gone.deeper] }}", "document.gone is missing"),
        ("{{ document.lines | map(attribute='a.b') | join }}", "a is missing"),
        ("{% if document.title == 'x' %}{% set a = 1 %}{% endif %}{{ a.b.c }}", "'a' is undefined"),
        ("{{ document.gone.upper() }}", "document.gone is missing"),
        ("{{ [document.gone] }}", "document.gone is missing"),
        ("{{ 'a' ~ document.gone }}", "document.gone is missing"),
        ("{{ 1 + document.gone }}", "document.gone is missing"),
        ("{{ document.gone == 1 }}", "document.gone is missing"),
        ("{% if document.gone %}x{% endif %}", "document.gone is missing"),
        ("{% if false %}{% set x = 1 %}{% endif %}{{ x }}", "'x' is undefined"),
    ],
)
def test_a_missing_field_is_named_with_its_whole_path_and_line(prompt: str, message: str) -> None:
    with pytest.raises(PromptFieldMissing) as caught:
        render(prompt)

    assert message in str(caught.value)
    assert caught.value.decision is Decision.DEAD
    assert caught.value.code == "prompt_field_missing"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{{ document.title.format(1) }}", "document.title.format() cannot be called"),
        ("{{ document.items() }}{{ document.lines.append(1) }}", "document.lines.append() cannot be called"),
        ("{{ document.price.real() }}", "cannot be called"),
        ("{{ document.title + 1 }}", "cannot calculate text + number"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ document.title > 3 }}", "not supported between"),
        ("{{ namespace() }}", "cannot be printed"),
        ("{% set range = document %}{{ range() }}", "can be called by name"),
        ("{{ document.price | join }}", "no list, text or object"),
        ("{{ 'a' | truncate_words }}", "filter 'truncate_words'"),
        ("{{ [] | first }}", "an empty list has no first entry"),
        ("{% for a, b in [1] %}{% endfor %}", "unpack"),
        ("{{ '' }}", "the rendered prompt is empty"),
        ("{{ '%q' % 1 }}", "is not known"),
        ("{{ '%d' % 'x' }}", "needs a number"),
        ("{{ '%d %d' % 1 }}", "more places"),
        ("{{ '%d' % (1, 2) }}", "more values"),
    ],
)
def test_what_cannot_be_rendered_is_a_failure_of_the_document(prompt: str, message: str) -> None:
    with pytest.raises(PromptRenderError) as caught:
        render(prompt)

    assert message in str(caught.value)
    assert caught.value.decision is Decision.DEAD


@pytest.mark.parametrize(
    ("prompt", "line", "message"),
    [
        ("a\n{{ document.title", 2, "unexpected end"),
        ("{% if x %}", 1, "Unexpected end of template"),
        ("a\n\n{{ documnet.title }}", 3, "there is no variable 'documnet'; did you mean 'document'?"),
        ("{{ document.a | uper }}", 1, "there is no filter 'uper'; did you mean 'upper'?"),
        ("{% if document.a | nofilter %}{% endif %}", 1, "there is no filter 'nofilter'"),
        ("{{ document.a is defned }}", 1, "there is no test 'defned'; did you mean 'defined'?"),
        ("{{ lipsum() }}", 1, "there is no function 'lipsum'"),
        ("{{ document.f()() }}", 1, "only functions and methods can be called"),
        ("{{ range(*document.a) }}", 1, "*list"),
        ("{% macro m() %}{% endmacro %}", 1, "{% macro %} is not available"),
        ("{% include 'x' %}", 1, "{% include %} is not available"),
        ("{% import 'x' as y %}", 1, "{% import %} is not available"),
        ("{% from 'x' import y %}", 1, "{% import %} is not available"),
        ("{% extends 'x' %}", 1, "{% extends %} is not available"),
        ("{% block b %}{% endblock %}", 1, "{% block %} is not available"),
        ("{% call document.f() %}{% endcall %}", 1, "{% call %} is not available"),
        ("{% filter upper %}a{% endfilter %}", 1, "{% filter %} around a block is not available"),
        ("{% set x %}a{% endset %}", 1, "{% set %} around a block is not available"),
        ("{% autoescape true %}{% endautoescape %}", 1, "{% autoescape %} is not available"),
        ("{% for x in [1] recursive %}{% endfor %}", 1, "recursive loops are not available"),
        ("{{ 99999999999999999999 }}", 1, "more than 64 bits"),
    ],
)
def test_an_unusable_template_is_refused_with_its_line(prompt: str, line: int, message: str) -> None:
    with pytest.raises(PromptInvalid) as caught:
        compile_prompt(make_spec(prompt))

    assert caught.value.line == line
    assert caught.value.errors[0].path == "ai.prompt"
    assert message in caught.value.errors[0].message
    assert caught.value.decision is Decision.PERMANENT


def test_a_fault_in_the_system_prompt_names_the_system_prompt() -> None:
    with pytest.raises(PromptInvalid) as caught:
        compile_prompt(make_spec("fine", "{{ nope }}"))

    assert caught.value.errors[0].path == "ai.system_prompt"


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ document.title.__class__.__mro__ }}",
        "{{ document.__class__ }}",
        "{{ document['__class__'] }}",
        "{{ document | map(attribute='__class__') | list }}",
        "{{ document.lines | map(attribute='append') | list }}",
        "{{ now.__class__ }}",
        "{{ loop }}",
        "{{ self }}",
        "{{ document.title | attr('__class__') }}",
        "{{ range.run }}",
        "{% set ns = namespace() %}{{ ns.__init__ }}",
        "{{ agent.__dict__ }}",
    ],
)
def test_no_python_object_can_be_reached(prompt: str) -> None:
    with pytest.raises((PromptInvalid, PromptRenderError)):
        render(prompt)


def test_documents_are_never_taken_for_templates() -> None:
    assert render("{{ document.t }}", {"t": "{{ 7 * 7 }}{% raw %}"}).user == "{{ 7 * 7 }}{% raw %}"


def test_rendering_does_not_change_the_document() -> None:
    document = {"a": [3, 1], "b": {"c": 1}}

    render("{{ document.a | sort }}{{ document.b | dictsort }}{{ document.a + [1] }}", document)

    assert document == {"a": [3, 1], "b": {"c": 1}}


def test_one_compiled_prompt_serves_many_threads() -> None:
    compiled = compile_prompt(make_spec("{% for i in range(50) %}{{ document.n }} {% endfor %}."))

    def render_one(number: int) -> str:
        context = PromptContext({"n": number}, {}, "insert", {}, NOW)
        return compiled.render(context).user

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(render_one, range(200)))

    assert texts == [f"{number} " * 50 + "." for number in range(200)]


KEYS = st.text(min_size=1, max_size=8).filter(lambda key: key.isidentifier() and key.isascii())
NAMES = KEYS | st.sampled_from(["items", "keys", "values", "get", "pop", "copy", "update", "reads", "plain"])


@given(NAMES, st.text(max_size=20).filter(lambda text: text.strip() != ""))
def test_every_field_name_wins_over_every_method(name: str, value: str) -> None:
    assert render(f"[{{{{ document['{name}'] }}}}]", {name: value}).user == f"[{value}]"
    if name not in ("and", "or", "not", "in", "is", "if", "else", "True", "False", "None"):
        assert render(f"[{{{{ document.{name} }}}}]", {name: value}).user == f"[{value}]"
