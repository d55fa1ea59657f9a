"""What a template may consist of. Checked once, when an agent is published or first used."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

from enrichment.prompt.template.environment import ENVIRONMENT, FUNCTIONS
from enrichment.prompt.template.meter import Limits
from enrichment.prompt.template.operators import LARGEST_INTEGER

VARIABLES: Final = frozenset({"agent", "before", "doc", "document", "event", "now", "operation", "timestamp"})

_MOST_COMPARISONS: Final = 8  # a < b < c …
_REFUSED: Final[Mapping[type[nodes.Node], str]] = {
    nodes.AssignBlock: "{% set %} around a block is not available; use {% set name = value %}",
    nodes.Block: "{% block %} is not available",
    nodes.CallBlock: "{% call %} is not available",
    nodes.Extends: "{% extends %} is not available",
    nodes.FilterBlock: "{% filter %} around a block is not available; use {{ value | filter }}",
    nodes.FromImport: "{% import %} is not available",
    nodes.Import: "{% import %} is not available",
    nodes.Include: "{% include %} is not available",
    nodes.Macro: "{% macro %} is not available",
    nodes.ScopedEvalContextModifier: "{% autoescape %} is not available",
}
_ALLOWED: Final = (
    nodes.And,
    nodes.Assign,
    nodes.BinExpr,
    nodes.Call,
    nodes.Compare,
    nodes.Concat,
    nodes.CondExpr,
    nodes.Const,
    nodes.Dict,
    nodes.Filter,
    nodes.For,
    nodes.Getattr,
    nodes.Getitem,
    nodes.If,
    nodes.Keyword,
    nodes.List,
    nodes.NSRef,
    nodes.Name,
    nodes.Neg,
    nodes.Not,
    nodes.Operand,
    nodes.Output,
    nodes.Pair,
    nodes.Pos,
    nodes.Scope,  # around {% autoescape %}, which is refused by its own name
    nodes.Slice,
    nodes.Template,
    nodes.TemplateData,
    nodes.Test,
    nodes.Tuple,
    nodes.With,
)


class NotAllowed(ValueError):
    """A template holds something that is not available; `line` counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        self.line = line
        super().__init__(message)


def check_syntax(tree: nodes.Template, limits: Limits) -> None:
    """Refuse what is not available, and what is too large or too deep. Raises NotAllowed."""
    waiting: list[tuple[nodes.Node, int, int]] = [(tree, 1, 0)]
    seen = 0
    while waiting:
        node, depth, loops = waiting.pop()
        seen += 1
        if seen > limits.syntax_nodes:
            raise NotAllowed(f"the template has more than {limits.syntax_nodes:,} parts", node.lineno)
        if depth > limits.syntax_depth:
            raise NotAllowed(f"the template is nested deeper than {limits.syntax_depth} levels", node.lineno)
        _check(node)
        if isinstance(node, nodes.For):
            loops += 1
            if loops > limits.loop_depth:
                raise NotAllowed(f"loops are nested deeper than {limits.loop_depth} levels", node.lineno)
        waiting.extend((child, depth + 1, loops) for child in node.iter_child_nodes())
    _check_names(tree)


def _check(node: nodes.Node) -> None:
    if isinstance(node, tuple(_REFUSED)):
        raise NotAllowed(_REFUSED[type(node)], node.lineno)
    if not isinstance(node, _ALLOWED):
        raise NotAllowed(f"{type(node).__name__} is not available", node.lineno)
    for kind, check in _CHECKS:
        if isinstance(node, kind):
            check(node)


def _check_filter(node: nodes.Filter) -> None:
    _check_known("filter", node.name, ENVIRONMENT.filters, node.lineno)
    _check_arguments(node)


def _check_test(node: nodes.Test) -> None:
    _check_known("test", node.name, ENVIRONMENT.tests, node.lineno)
    _check_arguments(node)


def _check_known(what: str, name: str, known: Mapping[str, object], line: int) -> None:
    if name not in known:
        raise NotAllowed(f"there is no {what} {name!r}{_suggestion(name, known)}", line)


def _check_arguments(node: nodes.Filter | nodes.Test | nodes.Call) -> None:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise NotAllowed("arguments cannot be given as *list or **object", node.lineno)


def _check_call(node: nodes.Call) -> None:
    _check_arguments(node)
    if isinstance(node.node, nodes.Name) and node.node.name not in FUNCTIONS:
        raise NotAllowed(f"there is no function {node.node.name!r}", node.lineno)
    if not isinstance(node.node, nodes.Name | nodes.Getattr):
        raise NotAllowed("only functions and methods can be called", node.lineno)


def _check_for(node: nodes.For) -> None:
    if node.recursive:
        raise NotAllowed("recursive loops are not available", node.lineno)


def _check_const(node: nodes.Const) -> None:
    value = node.value
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise NotAllowed("the integer has more than 64 bits", node.lineno)
    if isinstance(value, float) and not math.isfinite(value):
        raise NotAllowed("the number is too large", node.lineno)


def _check_compare(node: nodes.Compare) -> None:
    if len(node.ops) > _MOST_COMPARISONS:
        raise NotAllowed(f"more than {_MOST_COMPARISONS} comparisons in one chain", node.lineno)


def _check_names(tree: nodes.Template) -> None:
    known = VARIABLES | set(FUNCTIONS)
    used = list(tree.find_all(nodes.Name))
    # A name that is only set in one branch counts as undeclared there.
    unknown = find_undeclared_variables(tree) - known - {node.name for node in used if node.ctx == "store"}
    for node in used:
        if node.name in unknown:
            raise NotAllowed(
                f"there is no variable {node.name!r}{_suggestion(node.name, known)}", node.lineno
            )


def _suggestion(name: str, known: Mapping[str, object] | frozenset[str]) -> str:
    near = get_close_matches(name, [each for each in known if not each.startswith(" ")], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_CHECKS: Final[tuple[tuple[type[nodes.Node], Callable[..., None]], ...]] = (
    (nodes.Call, _check_call),
    (nodes.Compare, _check_compare),
    (nodes.Const, _check_const),
    (nodes.Filter, _check_filter),
    (nodes.For, _check_for),
    (nodes.Test, _check_test),
)
