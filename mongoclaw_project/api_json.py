"""JSON of the HTTP API: what is read of requests and written in answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


class Encoder(JSONEncoder):
    """Writes times in UTC without an offset, as MongoClaw 1.0.4 does (peer contract §2)."""

    def default(self, obj: Any) -> Any:
        """Return a value as JSON has it."""
        if isinstance(obj, datetime):
            aware = obj if obj.tzinfo is None else obj.astimezone(UTC)
            return aware.replace(tzinfo=None).isoformat()
        return super().default(obj)


class Renderer(JSONRenderer):
    """Writes answers."""

    encoder_class = Encoder


class Parser(JSONParser):
    """Reads bodies; one that is nested without end is bad JSON, not an error of the server."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the body. Raises ParseError."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
