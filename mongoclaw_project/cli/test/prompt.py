"""`mongoclaw test prompt`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from enrichment.trial import render
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.test.document import document_options, read_document
from mongoclaw_project.cli.test.sheet import Sheet
from mongoclaw_project.cli.test.stored import spec_of


@click.command(cls=SqlCommand)
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@document_options
def prompt(agent_id: str, text: str | None, path: str | None) -> None:
    """Show the prompts that an agent would send for a document; no model is called."""
    spec = spec_of(agent_id)
    rendering = render(spec, read_document(text, path), now=datetime.now(UTC))
    prompts = rendering.prompts
    sheet = Sheet()
    sheet.add("agent_id", spec.id)
    sheet.add("system_prompt", prompts.system, title="System prompt" if prompts.system else None)
    sheet.add("prompt", prompts.user, title="Prompt")
    sheet.add("variables", list(rendering.variables))
    sheet.add("reads", None if prompts.reads is None else sorted(prompts.reads))
    sheet.say(f"Template variables: {', '.join(rendering.variables) or 'none'}")
    fields = "the whole document" if prompts.reads is None else ", ".join(sorted(prompts.reads)) or "none"
    sheet.say(f"Fields of the document that it depends on: {fields}")
    sheet.finish()
