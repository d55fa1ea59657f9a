"""The smallest specification, and changes to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from agents_app.errors import SpecInvalid
from agents_app.spec import AgentSpec, parse_spec

SMALLEST: dict[str, Any] = {
    "id": "triage",
    "name": "Triage",
    "watch": {"database": "shop", "collection": "tickets"},
    "ai": {"prompt": "Sort: {{ document.text }}"},
    "write": {"target_field": "ai"},
}

Data = Callable[..., dict[str, Any]]
Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]


@pytest.fixture
def data() -> Data:
    """Make a specification's data; `__` in a keyword stands for a dot, `...` takes a key away."""

    def make(**changes: Any) -> dict[str, Any]:
        result = copy.deepcopy(SMALLEST)
        for path, value in changes.items():
            *sections, key = path.split("__")
            place = result
            for section in sections:
                place = place.setdefault(section, {})
            if value is ...:
                del place[key]
            else:
                place[key] = value
        return result

    return make


@pytest.fixture
def spec(data: Data) -> Spec:
    """Make a specification."""
    return lambda **changes: parse_spec(data(**changes)).spec


@pytest.fixture
def warnings(data: Data) -> Problems:
    """Return the warnings about a specification."""
    return lambda **changes: list(parse_spec(data(**changes)).warnings)


@pytest.fixture
def problems(data: Data) -> Problems:
    """Return what is wrong with a specification."""

    def find(**changes: Any) -> list[str]:
        with pytest.raises(SpecInvalid) as caught:
            parse_spec(data(**changes))
        return [str(problem) for problem in caught.value.errors]

    return find
