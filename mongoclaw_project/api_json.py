"""JSON of the HTTP API: what is read of requests and written in answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

from executions_app.api_body import refuse_larger
from mongoclaw_project.config import current

REMEDY: Final = "send less, insert the document into MongoDB itself, or raise MONGOCLAW_API__MAX_BODY_BYTES"


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


class Parser(BaseParser):
    """Reads bodies; one that is nested without end is bad JSON, not an error of the server.

    It is no JSONParser, for whose kind the framework reads the body itself, within the limit that Django has for forms.
    """

    media_type = JSONParser.media_type

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body. Raises ParseError, and BodyTooLarge before anything is read."""
        if parser_context is not None:
            refuse_larger(parser_context["request"], current().api.max_body_bytes, remedy=REMEDY)
        try:
            return JSONParser().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None
