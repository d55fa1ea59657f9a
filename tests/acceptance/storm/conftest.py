"""The stage of the storm's test: a fleet on three mongods of its own and a broker that may keep its data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import BinaryMissing
from tests.acceptance.conftest import Fleet
from tests.acceptance.storm.stage import Stage, set_stage


@pytest.fixture
def stage(fleet: Fleet, tmp_path: Path) -> Iterator[Stage]:
    """All processes are under way."""
    try:
        with set_stage(fleet, tmp_path / "mongods") as made:
            yield made
    except BinaryMissing as exc:
        if os.environ.get("CI") == "true":
            pytest.fail(str(exc))
        pytest.skip(str(exc))
