"""Everything that is asked to tell whether MongoClaw works."""

from __future__ import annotations

import functools

from mongoclaw_project.health.component import Probe
from mongoclaw_project.health.fleet import fleet_probes
from mongoclaw_project.health.servers import probes
from mongoclaw_project.health.streams import stream_probe


@functools.cache
def all_probes() -> tuple[Probe, ...]:
    """The probes of this process: of servers, processes and streams."""
    return (*probes(), *fleet_probes(), stream_probe())
