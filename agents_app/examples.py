"""The examples that come with MongoClaw, to begin an agent from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from agents_app.spec import load_spec

_ROOT: Final = Path(__file__).resolve().parent.parent
# In a checkout, and where the wheel carries them.
_PLACES: Final = (_ROOT / "examples" / "agents", _ROOT / "sandbox" / "examples" / "agents")


@dataclass(frozen=True, slots=True)
class Example:
    """An agent that can be published as it is. `key` is its file's name without the ending."""

    key: str
    name: str
    description: str
    text: str


@lru_cache(maxsize=1)
def examples() -> tuple[Example, ...]:
    """Return the examples by name; none if this installation carries none."""
    files = next((sorted(place.glob("*.yaml")) for place in _PLACES if place.is_dir()), [])
    return tuple(sorted(map(_read, files), key=lambda example: example.name.lower()))


def example(key: str) -> Example | None:
    """Return the example of that key."""
    return next((found for found in examples() if found.key == key), None)


def _read(path: Path) -> Example:
    text = path.read_text(encoding="utf-8")
    spec = load_spec(text, source=path.name).spec
    return Example(path.stem, spec.name, spec.description or "", text)
