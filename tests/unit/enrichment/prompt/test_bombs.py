from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from typing import Any, Self

import pytest

from enrichment.prompt import PromptInvalid, PromptRenderError, PromptTooExpensive
from enrichment.prompt.template.compiled import compile_template
from enrichment.prompt.template.meter import Limits, Meter

SECONDS = 2.0  # of processor time, on cores that others heat; the meter stops at 0.5, after the operation that it is in
MEGABYTES = 120

DOCUMENT: dict[str, Any] = {
    "text": "x" * 2_000_000,
    "words": "a " * 500_000,
    "lines": "\n" * 1_000_000,
    "html": "<!--->" * 200_000,
    "brackets": "<" * 1_000_000,
    "marks": "&" * 2_000_000,
    "numbers": list(range(100_000)),
    "grid": [[1] * 300 for _ in range(300)],
    "rows": [{"a": number, "b": "x"} for number in range(20_000)],
    "needle": "xz" + "x" * 1_000_000,
    "path": "a." * 200_000,
    "big_words": "a " * 2_500_000,
    "map": {str(number): number for number in range(20_000)},
}

AT_PUBLISH = [
    '{{ {"a": 1} | xmlattr }}',
    '{{ "a" | wordwrap(1) }}',
    '{{ "a" | center(999999999) }}',
    "{{ document.text | urlize }}",
    "{{ document.text | pprint }}",
    "{{ document.numbers | random }}",
    "{{ lipsum(n=10000000) }}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% set a %}{{ document.text }}{% endset %}" * 30,
    "{% for a in [1] %}" * 5 + "{% endfor %}" * 5,
    "{% for x in [1] %}" * 500 + "{% endfor %}" * 500,
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "{{ " + "-" * 20000 + "1 }}",
    "{{ " + "not " * 20000 + "1 }}",
    "{{ document" + ".a" * 20000 + " }}",
    "{{ document" + "[0]" * 20000 + " }}",
    "{{ document.a" + " | upper" * 10000 + " }}",
    "{{ 1" + "+1" * 20000 + " }}",
    '{{ "a"' + '~"a"' * 20000 + " }}",
    "{{ 1" + " if 1 else 2" * 5000 + " }}",
    "{{ 1" + "<1" * 5000 + " }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 0x" + "f" * 50000 + " }}",
    "{{ 1e999 }}",
    "x" * 100_001,
    "{{" * 30000,
    "{%" * 30000,
    "{# " * 30000,
    '{{ "' + "\\" * 90000,
    '{{ "' * 20000,
    "{% raw %}" * 10000,
]

AT_RENDERING = [
    '{{ "a" * 50000000 }}',
    '{{ 50000000 * "a" }}',
    "{{ [0] * 100000000 }}",
    '{{ "%0300000000d" % 1 }}',
    '{{ "%0300000000d" | format(1) }}',
    '{{ "%.300000000f" | format(1.5) }}',
    '{{ "%*d" % (300000000, 1) }}',
    '{{ "%s" * 3000 % 1 }}',
    '{{ "{:9999999999}".format(1) }}',
    "{{ 9 ** 9 ** 9 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 2 ** 64 }}",
    "{{ 2 ** 62 * 2 ** 62 }}",
    "{{ 10.0 ** 400 }}",
    "{% set ns = namespace(n=3) %}{% for i in range(1000) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    '{{ ("f" * 10000) | int(0, 16) }}{{ 1 / 0 }}',
    "{{ range(999999999) | list }}",
    "{{ range(10 ** 18) }}",
    "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}",
    "{% for a in range(99) %}" * 3 + "x" + "{% endfor %}" * 3,
    "{% for a in document.numbers %}{% for b in document.numbers %}{{ a }}{% endfor %}{% endfor %}",
    "{% for i in document.numbers if document.numbers | list | length %}{% endfor %}",
    "{% for c in document.text %}{% endfor %}",
    "{% for i in document.numbers %}{{ i }}" + "x" * 40 + "{% endfor %}",
    "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
    "{% set n = namespace(s=1) %}{% for i in range(99) %}{% set n.s = {'a': n.s, 'b': n.s} %}{% endfor %}",
    "{% set n = namespace(s=1) %}{% for i in range(77) %}{% set n.s = (n.s,n.s) %}{% endfor %}{{ {n.s: 1} }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a }}",
    '{{ "a".center(999999999) }}',
    '{{ "a".ljust(999999999) }}',
    '{{ "a".zfill(1000000000) }}',
    '{{ "a" | indent(999999999) }}',
    "{{ document.lines | indent(100, true, true) }}",
    "{{ document.text | join(document.text) }}",
    "{{ document.numbers | join('-' * 9000) }}",
    '{{ ["a"] | batch(999999999, "x") | list }}',
    "{{ [1] | slice(999999999) | list }}",
    '{{ document.text | replace("", document.text) }}',
    '{{ document.text.replace("x", document.text) }}',
    "{{ document.text | list | length }}",
    "{{ document.words.split() | length }}",
    "{{ document.lines.splitlines() | length }}",
    "{{ document.marks | e | e }}",
    "{{ document.marks | urlencode }}",
    "{{ document.text | json | json }}",
    "{{ document.numbers | json(indent=999999999) }}",
    '{{ document.numbers | map("string") | map("replace", "", document.text) | list }}',
    '{{ document.rows | map(attribute="a") | map("string") | map("indent", 9999999) | list }}',
    "{{ " + " ~ ".join(["document.text"] * 500) + " }}",
    "{{ document.text[1:] | length }}" * 500,
    "{{ document.grid | list == document.grid | reverse | list }}" * 400,
    "{% for i in range(9000) %}{% if document.grid == document.grid | list %}{% endif %}{% endfor %}",
    '{% for i in range(9000) %}{% if document.text == document.text ~ "" %}{% endif %}{% endfor %}',
    "{% for i in document.numbers %}{% if i in document.numbers %}{% endif %}{% endfor %}",
    '{% for i in range(9000) %}{{ document.rows | sort(attribute="a") | length }}{% endfor %}',
    '{% for i in range(9000) %}{{ document.rows | groupby("a") | length }}{% endfor %}',
    "{% for i in range(9000) %}{{ document.numbers | unique | length }}{% endfor %}",
    "{% for i in range(9000) %}{{ document.map | dictsort | length }}{% endfor %}",
    "{{ document.grid | sum(start=[]) }}",
    '{{ now.strftime("%0300000000d") }}',
    "{{ document.text.strip(document.needle) }}",
    "{{ document.text | trim(document.needle) }}",
    "{{ document.text.rfind(document.needle) }}",
    "{{ document.text.rsplit(document.needle) }}",
    "{{ document.numbers | join(', ', document.path) }}",
    "{{ document.numbers | sum(document.path) }}",
    "{{ document.numbers | map(attribute=document.path, default=1) | list | length }}",
    "{{ document.rows | sort(attribute=document.path) | length }}",
    "{{ document.big_words | striptags }}",
    "{{ document.big_words | title }}",
    "{% set t = document.text %}{{ '%s' * 999 % (" + "t," * 999 + ") }}",
    '{{ now.strftime("%300000000Y") }}',
    '{{ "2026-01-01" | format_date("%999999999Y") }}',
]

HARMLESS = [
    "{{ document.html | striptags | length }}{{ document.brackets | striptags | length }}",
    "{{ document.text | int }}{{ document.text | float }}{{ document.words | wordcount }}",
    "{{ document.text in document.text }}{{ ('x' * 5000 ~ 'y') in document.text }}",
    "{{ document.words | truncate(100) | length }}{{ document.words | truncate_words(3) }}",
    "{{ 1.5 | round(100000) }}{{ document.text | upper | lower | length }}",
]


def _render(source: str) -> str:
    variables = {"document": DOCUMENT, "now": datetime(2026, 1, 1, tzinfo=UTC)}
    return compile_template(source, "ai.prompt").render(variables)


class _Cost:
    """What a block of code takes: processor time of this thread, and growth of the process."""

    def __enter__(self) -> Self:
        self._started = time.thread_time()
        self._size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.thread_time() - self._started
        self.megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._size) / 1024


def _short(source: str) -> str:
    return source[:60]


@pytest.mark.parametrize("source", AT_PUBLISH, ids=_short)
def test_a_bomb_that_can_be_seen_is_refused_when_the_agent_is_published(source: str) -> None:
    with _Cost() as cost, pytest.raises(PromptInvalid):
        compile_template(source, "ai.prompt")

    assert cost.seconds < SECONDS
    assert cost.megabytes < MEGABYTES


@pytest.mark.parametrize("source", AT_RENDERING, ids=_short)
def test_a_bomb_is_stopped_while_it_is_rendered(source: str) -> None:
    with _Cost() as cost, pytest.raises(PromptRenderError):
        _render(source)

    assert cost.seconds < SECONDS
    assert cost.megabytes < MEGABYTES


@pytest.mark.parametrize("source", HARMLESS, ids=_short)
def test_what_looks_heavy_but_is_linear_is_rendered(source: str) -> None:
    with _Cost() as cost:
        assert _render(source)

    assert cost.seconds < SECONDS


def test_nothing_is_computed_while_a_template_is_compiled() -> None:
    with _Cost() as cost:
        compile_template('{{ "a" * 50000000 }}{{ 9 ** 9 ** 9 }}{{ "a" | indent(999999999) }}', "ai.prompt")

    assert cost.seconds < SECONDS
    assert cost.megabytes < MEGABYTES


def test_a_large_honest_prompt_is_rendered() -> None:
    rows = [{"name": f"row {number}", "value": number} for number in range(5_000)]
    template = compile_template(
        "{% for row in document.rows %}{{ loop.index }}. {{ row.name | title }}: {{ row.value }}\n"
        "{% endfor %}",
        "ai.prompt",
    )

    assert template.render({"document": {"rows": rows}}).endswith("5000. Row 4999: 4999")


def test_the_meter_stops_at_its_time() -> None:
    moments = iter([0.0, 0.4, 0.6])
    meter = Meter(Limits(seconds=0.5), clock=lambda: next(moments))

    meter.tick()
    with pytest.raises(PromptTooExpensive, match=r"0\.5 s"):
        meter.tick()
