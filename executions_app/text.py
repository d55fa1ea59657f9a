"""Text that both databases take."""

from __future__ import annotations


def storable(text: str) -> str:
    """Replace what PostgreSQL or UTF-8 refuses, NUL and lone surrogates: a record must not fail for its contents."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
