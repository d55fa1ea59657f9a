"""Finds what is allowed in a prompt and still unwise."""

from __future__ import annotations

import re
from typing import Final

from jinja2 import nodes

from enrichment.prompt.template.environment import ENVIRONMENT

_DOCUMENTS: Final = frozenset({"before", "document", "doc"})
# What a text ends with before something that is marked off: <tag>, fences, rules, quotes.
_DELIMITER: Final = re.compile(r'(>|```\w*|~~~|---|===|###|"""|\'\'\'|<<<\w*|\]\]|\}\}|["\'«“\[({|])\s*\Z')


def printed_bare(source: str) -> tuple[int, ...]:
    """Return the lines of a valid template that print the whole document with no delimiter before it."""
    lines = []
    for output in ENVIRONMENT.parse(source).find_all(nodes.Output):
        before = ""
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                before = node.data
            else:
                if _is_document(node) and not _DELIMITER.search(before):
                    lines.append(node.lineno)
                before = ""
    return tuple(lines)


def _is_document(node: nodes.Expr) -> bool:
    if isinstance(node, nodes.Filter) and node.node is not None:
        return node.name in ("json", "tojson", "string", "safe") and _is_document(node.node)
    return isinstance(node, nodes.Name) and node.name in _DOCUMENTS
