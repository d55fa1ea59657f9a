"""Every end is recorded with a time that counting knows of (ADR 0021)."""

from __future__ import annotations

import re
from pathlib import Path

from executions_app import transitions


def test_no_transition_writes_an_end_by_its_own_clock() -> None:
    source = Path(str(transitions.__file__)).read_text(encoding="utf-8")
    # The statement that is written out knows of it by itself.
    through_the_orm = re.sub(r"statements\.settle\(.*?\n        \)", "", source, flags=re.DOTALL)

    written = re.findall(r"completed_at=([^,)]+\)?)", through_the_orm)

    assert written
    assert set(written) == {"ended_at(now)"}
