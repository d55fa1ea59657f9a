"""The OpenAPI document: what holds for every operation, and how pydantic's models become its shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.contrib.pydantic import PydanticExtension
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import ResolvedComponent
from pydantic.json_schema import model_json_schema

from agents_app.api_docs import REASONS, Sentence
from mongoclaw_project.config import current

_ANYWHERE: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells how a key is sent."""

    target_class = "mongoclaw_project.access.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002  # its signature
        """Return the scheme."""
        return {"type": "apiKey", "in": "header", "name": current().api.api_key_header}


class BasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells that a user's name and password are taken too."""

    target_class = "rest_framework.authentication.BasicAuthentication"
    match_subclasses = True
    priority = 1
    name = "Basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002  # its signature
        """Return the scheme."""
        return {"type": "http", "scheme": "basic"}


class Shapes(PydanticExtension):  # type: ignore[no-untyped-call]
    """Takes a model of a body as what may be sent, and one of an answer as what is there."""

    priority = 1

    def get_name(self, auto_schema: Any, direction: str) -> str:
        """Name the component; a model that is sent and answered is two of them."""
        name: str = super().get_name(auto_schema, direction)  # type: ignore[no-untyped-call]
        return f"{name}Request" if direction == "request" else name

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the JSON schema, its parts registered as components."""
        is_sent = direction == "request"
        template = "#/components/schemas/{model}" + ("Request" if is_sent else "")
        mode: Any = "validation" if is_sent else "serialization"
        schema = model_json_schema(self.target, ref_template=template, mode=mode)
        if not is_sent:
            _take_formats(schema)
        for name, part in schema.pop("$defs", {}).items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=f"{name}Request" if is_sent else name,
                type=ResolvedComponent.SCHEMA,
                object=name,
                schema=part,
            )
            auto_schema.registry.register_on_missing(component)
        return schema


def answers_of_all(result: dict[str, Any], generator: Any, **_given: Any) -> dict[str, Any]:  # noqa: ARG001  # its signature
    """Add the answers that any operation may give to those that do not name them."""
    schemas = result["components"].setdefault("schemas", {})
    schemas.setdefault("Sentence", model_json_schema(Sentence))
    for path, method, operation in _operations(result):
        statuses = [*_ANYWHERE]
        if method in {"post", "put"}:
            statuses += [HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
        if "{" in path:
            statuses.append(HTTPStatus.METHOD_NOT_ALLOWED)
        for status in statuses:
            operation["responses"].setdefault(str(int(status)), _sentence(status))
    return result


def _take_formats(schema: Any) -> None:
    """Take the format of times away: without an offset they are none by RFC 3339."""
    if isinstance(schema, dict):
        if schema.get("format") == "date-time":
            del schema["format"]
        for part in schema.values():
            _take_formats(part)
    elif isinstance(schema, list):
        for part in schema:
            _take_formats(part)


def _operations(result: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/v1/") and method in _METHODS:
                yield path, method, operation


def _sentence(status: HTTPStatus) -> dict[str, Any]:
    shape = {"$ref": "#/components/schemas/Sentence"}
    return {"description": REASONS[status], "content": {"application/json": {"schema": shape}}}
