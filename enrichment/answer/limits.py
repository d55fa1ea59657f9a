"""Limits that every answer keeps, whatever its schema says: what MongoDB and SQL can store and address."""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 1_000_000  # of the text; four bytes each stay far below MongoDB's 16 MiB
MAX_VALUES: Final = 50_000
MAX_DEPTH: Final = 64  # MongoDB itself stores 100 levels, less those above the target field
MAX_PROBLEMS: Final = 20
_LONGEST_KEY_SHOWN: Final = 40
_INT64: Final = range(-(2**63), 2**63)


def check_limits(answer: dict[str, object]) -> tuple[str, ...]:
    """Return what about the answer can never be stored, as texts with a path; nothing when all is well."""
    problems: list[str] = []
    waiting: list[tuple[str, object, int]] = [("answer", answer, 1)]
    seen = 0
    while waiting and len(problems) < MAX_PROBLEMS:
        path, value, depth = waiting.pop()
        seen += 1
        inside = len(value) if isinstance(value, dict | list) else 0
        if seen + len(waiting) + inside > MAX_VALUES:
            return (*problems, f"the answer holds more than {MAX_VALUES:,} values")
        if depth > MAX_DEPTH:
            return (*problems, f"the answer is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            problems.extend(f"{path}: {problem}" for problem in map(key_problem, value) if problem)
            waiting.extend((f"{path}.{shown(key)}", item, depth + 1) for key, item in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", item, depth + 1) for index, item in enumerate(value))
        elif problem := _scalar_problem(value):
            problems.append(f"{path}: {problem}")
    return tuple(problems[:MAX_PROBLEMS])


def key_problem(key: str) -> str | None:
    """Return why a field of this name can never be stored, or None."""
    if key == "":
        return "a field name is empty"
    if key.startswith("$"):
        return f"field name {shown(key)!r} starts with $"
    if "." in key:
        return f"field name {shown(key)!r} holds a dot"
    return _text_problem(key, "a field name")


def shown(key: str) -> str:
    """Return a field name short enough for a message."""
    name = key.encode("utf-8", "replace").decode("utf-8")
    return name if len(name) <= _LONGEST_KEY_SHOWN else f"{name[:_LONGEST_KEY_SHOWN]}…"


def _scalar_problem(value: object) -> str | None:
    if isinstance(value, str):
        return _text_problem(value, "the text")
    if isinstance(value, int) and value not in _INT64:
        return "the integer has more than 64 bits"
    return None


def _text_problem(text: str, subject: str) -> str | None:
    if "\0" in text:
        return f"{subject} holds a NUL character"
    if not _encodes(text):
        return f"{subject} holds half of a surrogate pair"
    return None


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
