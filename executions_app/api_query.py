"""Reading the query of a request."""

from __future__ import annotations

from collections.abc import Mapping

from agents_app.errors import SpecInvalid, SpecProblem


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the query. Raises SpecInvalid with its name if it is none."""
    text = query.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise SpecInvalid(errors=[SpecProblem(name, "must be a whole number")], place="query") from None
