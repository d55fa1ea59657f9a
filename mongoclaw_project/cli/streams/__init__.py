"""`mongoclaw streams`."""

from __future__ import annotations

import click

from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.streams.gaps import gaps
from mongoclaw_project.cli.streams.listing import list_, show_
from mongoclaw_project.cli.streams.position import set_position
from mongoclaw_project.cli.streams.replaying import replay
from mongoclaw_project.cli.streams.steering import partition, pause, resume


@click.group(cls=SqlGroup)
def streams() -> None:
    """Look at the change streams and steer them."""


for command in (list_, show_, pause, resume, partition, set_position, replay, gaps):
    streams.add_command(command)
