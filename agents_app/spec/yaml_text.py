"""Reads YAML safely: no tags beyond the plain ones, no duplicate keys, nothing that expands without bound."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from agents_app.spec.plain import FILTER, MAX_DEPTH, MAX_VALUES, Path, dotted
from agents_app.spec.source import Source, refuse

MAX_ALIASES = 100

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp"))


def read_yaml(text: str) -> Source:
    """Return the values of a YAML text with one document. Raises SpecInvalid with line and column."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refuse(
            f"the text is not valid YAML: the character {error.character!r} is not allowed", line=line
        ) from None
    except yaml.MarkedYAMLError as error:
        raise _invalid(error) from None
    if node is None:
        raise refuse("the text is empty")
    builder = _Builder(loader)
    return Source(builder.build(node, ()), builder.places)


class _Loader(yaml.SafeLoader):
    """Stops composing as soon as the text is nested too deep, too large or full of aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0
        self._aliases = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._nodes += 1
        self._aliases += self.check_event(yaml.AliasEvent)
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise _Marked(f"the text is nested deeper than {MAX_DEPTH} levels", mark)
            if self._aliases > MAX_ALIASES:
                raise _Marked(f"the text holds more than {MAX_ALIASES} aliases", mark)
            if self._nodes > 2 * MAX_VALUES:
                raise _Marked(f"the text holds more than {MAX_VALUES:,} values", mark)
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Marked(yaml.MarkedYAMLError):
    """A bound of ours was passed."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Builder:
    """Builds values from nodes, counting each value as often as aliases repeat it."""

    def __init__(self, loader: _Loader) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self._loader = loader
        self._values = 0

    def build(self, node: Node, path: Path) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _refuse_node(node, f"its aliases expand to more than {MAX_VALUES:,} values")
        if len(path) > MAX_DEPTH:
            raise _refuse_node(node, "an alias refers to a value that it is a part of, or is nested too deep")
        self.places.setdefault(dotted(path), _place(node)) if path else None
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.build(item, (*path, str(index))) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node, path)
        raise _refuse_node(node, f"the tag {node.tag.replace(_TAG, '!!')} is not supported", path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            inner = (*path, key)
            if key in result:
                first = self.places[dotted(inner)][0]
                raise _refuse_node(key_node, f"is given twice, first in line {first}", inner)
            self.places[dotted(inner)] = _place(key_node)
            result[key] = self.build(value_node, inner)
        return result

    def _key(self, node: Node, path: Path) -> str:
        if node.tag == _TAG + "merge":
            raise _refuse_node(node, "merge keys (<<) are not supported", path)
        if not isinstance(node, ScalarNode):
            raise _refuse_node(node, "a key must be text", path)
        if node.tag != _TAG + "str":
            raise _refuse_node(node, "the key must be text; put it in quotes", (*path, str(node.value)))
        return str(node.value)

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        # A bare date is a date only where MongoDB compares it; anywhere else it is the text that was written.
        if node.tag == _TAG + "timestamp" and path[: len(FILTER)] != FILTER:
            return node.value
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError, KeyError, AttributeError, IndexError, yaml.YAMLError):
            kind = node.tag.removeprefix(_TAG)
            raise _refuse_node(node, f"{str(node.value)[:40]!r} is not a valid {kind}", path) from None


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _refuse_node(node: Node, message: str, path: Path = ()) -> Exception:
    line, column = _place(node)
    return refuse(message, path=dotted(path), line=line, column=column)


def _invalid(error: yaml.MarkedYAMLError) -> Exception:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "it cannot be read"
    message = what if isinstance(error, _Marked) else f"the text is not valid YAML: {what}"
    if "single document" in str(error.context):
        message = "the text holds more than one document; give one agent per text"
    if mark is None:
        return refuse(message)
    return refuse(message, line=mark.line + 1, column=mark.column + 1)
