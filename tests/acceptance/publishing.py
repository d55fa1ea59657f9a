"""Publishing many agents in one process: a command for each would take a second each.

`python -m tests.acceptance.publishing` reads their specifications from standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from tests.acceptance.conftest import ROOT, Document, Fleet


def publish_all(fleet: Fleet, specs: Iterable[Document]) -> None:
    """Publish agents as `mongoclaw agents create` does."""
    subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(list(specs)),
        stdout=subprocess.DEVNULL,
        env=fleet.environ,
        cwd=ROOT,
        text=True,
        check=True,
        timeout=120,
    )


def main() -> None:
    """Publish what standard input holds."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mongoclaw_project.settings")
    django.setup()
    from agents_app.publish import publish
    from agents_app.spec import parse_spec

    for spec in json.load(sys.stdin):
        publish(parse_spec(spec), by="test", now=datetime.now(UTC))


if __name__ == "__main__":
    main()
