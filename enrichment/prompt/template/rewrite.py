"""Puts the checkpoints into a template's tree."""

from __future__ import annotations

from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from enrichment.prompt.template.checkpoints import CALL, CONCAT, LOOP, MADE, NAMED, TICK


def rewrite(tree: nodes.Template) -> None:
    """Pass loops, literals, slices, comparisons, fields, calls and `~` through their checkpoints."""
    _Rewriter().visit(tree)
    if tree.environment is not None:
        tree.set_environment(tree.environment)


def path_of(node: nodes.Node) -> str:
    """Return an expression as its author wrote it, as far as it is a path."""
    if isinstance(node, nodes.Filter) and node.name == NAMED and node.node is not None:
        return path_of(node.node)
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{path_of(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        entry = node.arg.value if isinstance(node.arg, nodes.Const) else "…"
        owner = path_of(node.node)
        return f"{owner}.{entry}" if isinstance(entry, str) and entry != "…" else f"{owner}[{entry}]"
    return "…"


class _Rewriter(NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(CONCAT, nodes.List(node.nodes, lineno=node.lineno))

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(MADE, node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(MADE, node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(MADE, node) if node.ctx == "load" else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(TICK, node)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _through(LOOP, cast(nodes.Expr, node.iter))
        return node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _through(NAMED, node, nodes.Const(path_of(node)))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            return _through(MADE, node)
        return _through(NAMED, node, nodes.Const(path_of(node)))

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        if not isinstance(node.node, nodes.Getattr):
            self.generic_visit(node)
            return node
        path = path_of(node.node)
        owner = self.visit(node.node.node)
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [self.visit(keyword) for keyword in node.kwargs]
        name = nodes.Const(node.node.attr)
        return nodes.Filter(
            owner, CALL, [name, nodes.Const(path), *arguments], keywords, None, None, lineno=node.lineno
        )


def _through(checkpoint: str, node: nodes.Expr, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, checkpoint, list(arguments), [], None, None, lineno=node.lineno)
