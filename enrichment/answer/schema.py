"""Response schemas: checked when an agent is published, then ready to validate answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from agents_app.errors import SpecProblem
from enrichment.answer.errors import SchemaInvalid
from enrichment.answer.formats import ENFORCED
from enrichment.answer.limits import MAX_DEPTH, key_problem
from enrichment.answer.patterns import pattern_problem
from enrichment.answer.problems import describe
from enrichment.answer.rules import AnswerRules

PATH: Final = "ai.response_schema"
MAX_SCHEMA_VALUES: Final = 20_000
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PROBES: Final[tuple[object, ...]] = ({}, [], "")
_UNSUPPORTED: Final = ("$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "$vocabulary")
# The keywords whose value is one schema, a list of them, or schemas by name.
_ONE: Final = (
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_MANY: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED: Final = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")


def compile_rules(schema: Mapping[str, Any]) -> AnswerRules:
    """Return the schema's validator. Raises SchemaInvalid with every problem found."""
    _check_size(schema)
    _check_dialect(schema)
    problems = [
        SpecProblem(f"{PATH}{path}", message)
        for path, part in _subschemas(schema)
        for message in _part_problems(schema, part)
    ]
    if not problems and not _may_be_object(schema):
        message = 'must be "object": an answer is written as fields of a document'
        problems.append(SpecProblem(f"{PATH}.type", message))
    if problems:
        raise SchemaInvalid(errors=problems)
    rules = AnswerRules(schema)
    _check_ends(schema, rules)
    return rules


def schema_warnings(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what in a valid schema does less than its author may think."""
    warnings = []
    declared = schema.get("$schema", _DIALECT)
    if str(declared).rstrip("#") != _DIALECT:
        warnings.append(f"{PATH}.$schema: the schema is read as draft 2020-12, not as {declared}")
    for path, part in _subschemas(schema):
        named = part.get("format")
        if isinstance(named, str) and named not in ENFORCED:
            known = ", ".join(sorted(ENFORCED))
            warnings.append(f"{PATH}{path}.format: {named!r} is not checked; checked are {known}")
    return tuple(warnings)


def _check_size(schema: Mapping[str, Any]) -> None:
    waiting: list[tuple[object, int]] = [(schema, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MAX_SCHEMA_VALUES or depth > MAX_DEPTH:
            problem = SpecProblem(PATH, f"has at most {MAX_SCHEMA_VALUES:,} values and {MAX_DEPTH} levels")
            raise SchemaInvalid(errors=[problem])
        if isinstance(value, Mapping):
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)


def _check_dialect(schema: Mapping[str, Any]) -> None:
    try:
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(formats=()))
    except SchemaError as error:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        message = describe(error).partition(": ")[2]
        raise SchemaInvalid(errors=[SpecProblem(f"{PATH}{place}", message)]) from error


def _part_problems(root: Mapping[str, Any], part: Mapping[str, object]) -> list[str]:
    problems = [f"{keyword} is not supported" for keyword in _UNSUPPORTED if keyword in part]
    reference = part.get("$ref")
    if isinstance(reference, str):
        problems += _reference_problems(root, reference)
    patterns = [part["pattern"]] if isinstance(part.get("pattern"), str) else []
    keyed = part.get("patternProperties")
    if isinstance(keyed, Mapping):
        patterns += list(keyed)
        if "unevaluatedProperties" in part:
            problems.append("patternProperties and unevaluatedProperties do not go together")
    problems += [problem for pattern in patterns if (problem := pattern_problem(str(pattern)))]
    named = part.get("properties")
    if isinstance(named, Mapping):
        problems += [f"properties: {problem}" for name in named if (problem := key_problem(str(name)))]
    return problems


def _reference_problems(root: Mapping[str, Any], reference: str) -> list[str]:
    if reference != "#" and not reference.startswith("#/"):
        return [f"$ref {reference[:100]!r} is not local; only references like '#/$defs/name' are followed"]
    try:
        _resolve(root, reference)
    except Unresolvable:
        return [f"$ref {reference[:100]!r} points at nothing"]
    return []


def _resolve(root: Mapping[str, Any], reference: str) -> object:
    resource = DRAFT202012.create_resource(root)
    registry: Registry[Any] = Registry().with_resource("", resource)
    return registry.resolver().lookup(reference).contents


def _may_be_object(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type")
    return types is None or types == "object" or (isinstance(types, list) and "object" in types)


def _check_ends(root: Mapping[str, Any], rules: AnswerRules) -> None:
    """Refuse a schema that refers to itself without going into a field or an item."""
    references = {part["$ref"] for _, part in _subschemas(root) if isinstance(part.get("$ref"), str)}
    for reference in sorted(map(str, references)):
        if not all(rules.ends({"$ref": reference}, probe) for probe in _PROBES):
            problem = SpecProblem(PATH, f"$ref {reference!r} leads back to itself without end")
            raise SchemaInvalid(errors=[problem])


def _subschemas(schema: object, path: str = "") -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield every object schema in the schema, itself first, with its path. Data (`enum`) is no schema."""
    waiting = [(path, schema)]
    while waiting:
        place, current = waiting.pop()
        if isinstance(current, Mapping):
            yield place, current
            waiting.extend(reversed(list(_children(place, current))))


def _children(path: str, schema: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for keyword, value in schema.items():
        place = f"{path}.{keyword}"
        if keyword in _ONE:
            yield place, value
        elif keyword in _MANY and isinstance(value, list):
            yield from ((f"{place}[{index}]", item) for index, item in enumerate(value))
        elif keyword in _NAMED and isinstance(value, Mapping):
            yield from ((f"{place}.{name}", item) for name, item in value.items())
