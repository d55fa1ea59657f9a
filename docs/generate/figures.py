"""The figures of the README: those of one file of `bench/results`, and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from docs.generate.markdown import table

ROOT: Final = Path(__file__).parents[2]
BEGIN: Final = "<!-- figures -->"
END: Final = "<!-- end of figures -->"
_NONE: Final = (
    "No figures are kept yet; `make bench` measures throughput, latency and memory on your machine."
)


def newest() -> Path | None:
    """The newest file of results, by its name, which is a date."""
    return max((ROOT / "bench/results").glob("*.json"), default=None)


def source_of(text: str) -> Path | None:
    """The file that the figures in a text come from."""
    named = re.search(r"bench/results/[\w.-]+\.json", block(text))
    return ROOT / named[0] if named else None


def block(text: str) -> str:
    """What stands between the marks."""
    return text.partition(BEGIN)[2].partition(END)[0]


def with_figures(text: str, source: Path | None) -> str:
    """The text with the figures of `source` between the marks."""
    body = _NONE if source is None else figures(source)
    return f"{text.partition(BEGIN)[0]}{BEGIN}\n{body}\n{END}{text.partition(END)[2]}"


def figures(source: Path) -> str:
    """A sentence on where the figures come from, and a table of them."""
    record = json.loads(source.read_text(encoding="utf-8"))
    name = source.relative_to(ROOT).as_posix()
    lead = (
        f"Measured by `make bench` on {record['cores']} cores that also carried MongoDB, Valkey and the "
        f"model, with Python {record['python']}; the record is [{name}]({name})."
    )
    rows = [row for scenario, result in record["results"].items() for row in _rows(scenario, result)]
    return f"{lead}\n\n{table(('scenario', 'figure', 'value'), rows)}"


def _rows(scenario: str, result: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in result.items():
        if isinstance(value, Mapping):
            shown = ", ".join(f"{key} {number}" for key, number in value.items())
        else:
            shown = str(value)
        yield f"`{scenario}`", name.replace("_", " "), shown
