"""The language of policy conditions: a small, side-effect-free part of Python's expressions.

`and`, `or`, `not`, chained comparisons, `in`, dotted names and indexes below `document` and `result`,
numbers, texts, lists, `true`, `false` and `null` (also as Python spells them). The text is parsed into a
tree, the tree is checked once against a list of allowed nodes, and then walked: nothing is ever executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from enrichment.policy.comparison import ConditionError, contains, holds, ordered, same

MAX_CHARACTERS: Final = 4_096
MAX_NODES: Final = 500
MAX_DEPTH: Final = 40

_INT64: Final = range(-(2**63), 2**63)
_CONSTANTS: Final[dict[str, object]] = {"true": True, "false": False, "null": None, "none": None}
_ROOTS: Final = {"document": "document", "doc": "document", "result": "result"}
_ALLOWED: Final = (
    ast.Expression,
    ast.BoolOp,
    ast.boolop,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.Compare,
    ast.cmpop,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.expr_context,
)
_ADVICE: Final = (
    (ast.Call, "functions cannot be called here"),
    (ast.BinOp, "arithmetic is not available here"),
    (ast.Slice, "slices are not available here"),
    (ast.NamedExpr, "values cannot be assigned here; compare with =="),
)


class ConditionInvalid(ValueError):
    """A condition cannot be used; `column` counts from 1 and is None where the whole text is at fault."""

    def __init__(self, message: str, column: int | None = None) -> None:
        self.column = column
        super().__init__(message if column is None else f"column {column}: {message}")


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition; immutable and safe to share between threads."""

    text: str
    _tree: ast.expr

    @property
    def reads_document(self) -> bool:
        """Whether the document has a say in it, beside the answer."""
        names = (node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        return any(_ROOTS.get(name) == "document" for name in names)

    def holds(self, document: Mapping[str, object], result: Mapping[str, object]) -> bool:
        """Say whether the condition is true. Raises ConditionError if values cannot be compared."""
        return holds(_evaluate(self._tree, {"document": document, "result": result}))


def compile_condition(text: str) -> Condition:
    """Return the condition, checked. Raises ConditionInvalid with the place of the first fault."""
    if len(text) > MAX_CHARACTERS:
        raise ConditionInvalid(f"has at most {MAX_CHARACTERS:,} characters")
    source = _one_line(text)
    if not source:
        raise ConditionInvalid("is empty; leave it out for a policy that always matches")
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError as error:
        raise ConditionInvalid(_syntax_message(source, error), error.offset or len(source) + 1) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConditionInvalid(f"cannot be read: {error}") from error
    _check_size(tree)
    for node in ast.walk(tree):
        _check(node, source)
    return Condition(text, tree.body)


def _one_line(text: str) -> str:
    line = " ".join(text.split("\n")).strip()
    if line.startswith("{{") and line.endswith("}}"):  # as one would write it in a template
        line = line[2:-2].strip()
    return line


def _syntax_message(source: str, error: SyntaxError) -> str:
    if "&&" in source or "||" in source or "!" in source.replace("!=", ""):
        return "write and, or, not instead of &&, || and !"
    if not error.offset:
        return "it ends too early"
    if error.msg == "invalid syntax" and "=" in source[error.offset - 1 :][:2]:
        return "compare with == instead of ="
    return str(error.msg)


def _check_size(tree: ast.AST) -> None:
    waiting = [(tree, 1)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if seen > MAX_NODES or depth > MAX_DEPTH:
            raise ConditionInvalid(
                f"is too long or nested too deeply (at most {MAX_NODES} parts, {MAX_DEPTH} levels)"
            )
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node))


def _check(node: ast.AST, source: str) -> None:
    column = _column(node, source)
    if not isinstance(node, _ALLOWED):
        advice = next((text for kind, text in _ADVICE if isinstance(node, kind)), None)
        raise ConditionInvalid(advice or f"{type(node).__name__} is not available here", column)
    if isinstance(node, ast.Name) and node.id not in _ROOTS and node.id.lower() not in _CONSTANTS:
        raise ConditionInvalid(f"unknown name {node.id[:40]!r}; there are document and result", column)
    if isinstance(node, ast.Subscript) and _index(node) is None:
        raise ConditionInvalid("an index is a number or a text", column)
    if isinstance(node, ast.Constant) and not _is_plain(node.value):
        raise ConditionInvalid("only numbers, texts, true, false and null can be written here", column)
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub | ast.UAdd)
        and not _is_number(node.operand)
    ):
        raise ConditionInvalid("a sign belongs before a number", column)
    if isinstance(node, ast.Compare):
        _check_identity(node, column)


def _column(node: ast.AST, source: str) -> int | None:
    if not isinstance(node, ast.expr):
        return None
    return len(source.encode()[: node.col_offset].decode()) + 1  # the tree counts bytes


def _check_identity(node: ast.Compare, column: int | None) -> None:
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.Is | ast.IsNot) and not _is_singleton(right):
            raise ConditionInvalid("'is' goes with null, true and false; compare others with ==", column)


def _is_plain(value: object) -> bool:
    if isinstance(value, int) and value not in _INT64:
        return False
    return value is None or isinstance(value, bool | int | float | str)


def _is_number(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    )


def _is_singleton(node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        return node.id.lower() in _CONSTANTS
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _index(node: ast.Subscript) -> int | str | None:
    place = node.slice
    sign = 1
    if isinstance(place, ast.UnaryOp) and isinstance(place.op, ast.USub):
        place, sign = place.operand, -1
    if not isinstance(place, ast.Constant) or isinstance(place.value, bool):
        return None
    if isinstance(place.value, int):
        return sign * place.value
    return place.value if isinstance(place.value, str) and sign == 1 else None


def _evaluate(node: ast.expr, names: Mapping[str, object]) -> object:
    return _EVALUATE[type(node)](node, names)


def _constant(node: ast.Constant, _names: Mapping[str, object]) -> object:
    return node.value


def _name(node: ast.Name, names: Mapping[str, object]) -> object:
    return names[_ROOTS[node.id]] if node.id in _ROOTS else _CONSTANTS[node.id.lower()]


def _attribute(node: ast.Attribute, names: Mapping[str, object]) -> object:
    return _entry(_evaluate(node.value, names), node.attr)


def _subscript(node: ast.Subscript, names: Mapping[str, object]) -> object:
    return _entry(_evaluate(node.value, names), _index(node))


def _entry(value: object, place: object) -> object:
    """Return a part of a value; what is not there is null."""
    if isinstance(value, Mapping):
        return value.get(place, value.get(str(place)))
    if isinstance(value, list | tuple) and isinstance(place, int):
        return value[place] if -len(value) <= place < len(value) else None
    return None


def _list(node: ast.List | ast.Tuple, names: Mapping[str, object]) -> object:
    return [_evaluate(item, names) for item in node.elts]


def _bool_op(node: ast.BoolOp, names: Mapping[str, object]) -> object:
    stops_at = isinstance(node.op, ast.Or)
    value: object = None
    for part in node.values:
        value = _evaluate(part, names)
        if holds(value) is stops_at:
            break
    return value


def _unary_op(node: ast.UnaryOp, names: Mapping[str, object]) -> object:
    value = _evaluate(node.operand, names)
    if isinstance(node.op, ast.Not):
        return not holds(value)
    if not isinstance(value, int | float):
        raise ConditionError("a sign belongs before a number")
    return -value if isinstance(node.op, ast.USub) else value


def _compare(node: ast.Compare, names: Mapping[str, object]) -> object:
    left = _evaluate(node.left, names)
    for operator, place in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(place, names)
        if not _COMPARE[type(operator)](left, right):
            return False
        left = right
    return True


_EVALUATE: Final[dict[type[ast.expr], Callable[..., object]]] = {
    ast.Attribute: _attribute,
    ast.BoolOp: _bool_op,
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.List: _list,
    ast.Name: _name,
    ast.Subscript: _subscript,
    ast.Tuple: _list,
    ast.UnaryOp: _unary_op,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[object, object], bool]]] = {
    ast.Eq: same,
    ast.Is: same,
    ast.NotEq: lambda left, right: not same(left, right),
    ast.IsNot: lambda left, right: not same(left, right),
    ast.Lt: lambda left, right: ordered(left, right, lambda a, b: a < b),
    ast.LtE: lambda left, right: ordered(left, right, lambda a, b: a <= b),
    ast.Gt: lambda left, right: ordered(left, right, lambda a, b: a > b),
    ast.GtE: lambda left, right: ordered(left, right, lambda a, b: a >= b),
    ast.In: lambda left, right: contains(right, left),
    ast.NotIn: lambda left, right: not contains(right, left),
}
