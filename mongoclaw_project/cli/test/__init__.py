"""`mongoclaw test`."""

from __future__ import annotations

import click

from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.test.agent import agent
from mongoclaw_project.cli.test.ai import ai
from mongoclaw_project.cli.test.connection import connection
from mongoclaw_project.cli.test.prompt import prompt


@click.group(cls=SqlGroup)
def test() -> None:
    """Try an agent, the model or the connections; nothing is written."""


for _command in (agent, ai, connection, prompt):
    test.add_command(_command)
