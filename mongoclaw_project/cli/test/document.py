"""The document that an agent is tried on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from enrichment.extended_json import DocumentInvalid
from enrichment.extended_json import read_document as as_document
from mongoclaw_project.cli.output import fail
from mongoclaw_project.cli.text_file import read_text

Document = dict[str, Any]


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
        return as_document(text if text is not None else read_text(str(path)))
    except DocumentInvalid as error:
        fail(f"{source}: {error}")
