"""The id of an agent on the command line, which a shell can complete."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import click
from click.shell_completion import CompletionItem

_MOST: Final = 100


class _AgentId(click.ParamType[str]):
    """Any text; whether there is such an agent is the command's business."""

    name = "id"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """List the agents that begin so; nothing where the database does not answer."""
        from agents_app.models import Agent

        with suppress(Exception):  # a shell that asks for words must not be told of errors
            found = Agent.objects.filter(archived_at=None, id__startswith=incomplete).order_by("id")
            return [CompletionItem(id_) for id_ in found.values_list("id", flat=True)[:_MOST]]
        return []


AGENT_ID: Final = _AgentId()
