"""`python -m mongoclaw_project` is `mongoclaw`."""

from __future__ import annotations

from mongoclaw_project.cli.main import main

if __name__ == "__main__":
    main()
