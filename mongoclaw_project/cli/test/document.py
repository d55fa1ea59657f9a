"""The document that an agent is tried on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import click
from bson import json_util
from bson.errors import BSONError

from enrichment.writeback import DOCUMENT_CODEC
from mongoclaw_project.cli.output import fail
from mongoclaw_project.cli.text_file import read_text

Document = dict[str, Any]

NO_ID: Final = "(no _id given)"
_JSON: Final = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    tz_aware=True,
    datetime_conversion=DOCUMENT_CODEC.datetime_conversion,
)


def document_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a document."""
    by_text = click.option(
        "-d", "--document", "text", metavar="JSON", help="The document; Extended JSON is understood."
    )
    by_file = click.option(
        "-f", "--file", "path", metavar="FILE", help="A file with the document; `-` reads standard input."
    )
    return by_text(by_file(command))


def read_document(text: str | None, path: str | None) -> Document:
    """Read the document that the options name. Raises CommandFailed."""
    if (text is None) == (path is None):
        fail("Give the document either with --document JSON or with --file FILE")
    source = "--document" if text is not None else str(path)
    try:
        value = json_util.loads(text if text is not None else read_text(str(path)), json_options=_JSON)
    except (ValueError, TypeError, BSONError) as error:
        fail(f"{source}: not JSON: {error}")
    if not isinstance(value, dict):
        fail(f'{source}: a document is a JSON object, such as {{"title": "…"}}')
    return value if "_id" in value else {"_id": NO_ID, **value}


def extended_json(value: object) -> Any:
    """Make any BSON value one that JSON can show."""
    return json.loads(json_util.dumps(value, json_options=_JSON))
