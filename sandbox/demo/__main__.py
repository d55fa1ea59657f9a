"""`python -m sandbox.demo`: the demo, with the sandbox model or a real one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sandbox.demo.intro import choose_model, introduction
from sandbox.demo.run import DemoOptions, run_demo
from sandbox.errors import SandboxError
from sandbox.supervisor import StopAsked


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo; exit code 0 if nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask before a real model is used")
    parser.add_argument(
        "--sandbox", action="store_true", help="use the sandbox model even if there is an API key"
    )
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--data-dir", type=Path, default=Path(".mongoclaw/demo"))
    given = parser.parse_args(arguments)
    if given.documents < 1:
        parser.error("--documents: must be at least 1")
    return demo(
        os.environ,
        data_dir=given.data_dir.resolve(),
        documents=given.documents,
        seed=given.seed,
        yes=given.yes,
        sandbox=given.sandbox,
    )


def demo(
    environ: dict[str, str] | os._Environ[str],
    *,
    data_dir: Path,
    documents: int,
    seed: int,
    yes: bool,
    sandbox: bool,
) -> int:
    """Introduces and runs the demo; errors become one line on stderr and exit code 1."""
    model = (
        None if sandbox else choose_model(environ, documents, yes=yes, ask=input, can_ask=sys.stdin.isatty())
    )
    sys.stdout.write(introduction(documents, model))
    sys.stdout.flush()
    try:
        return run_demo(DemoOptions(data_dir, dict(environ), documents=documents, seed=seed, model=model))
    except StopAsked:
        sys.stderr.write("stopped: everything that the demo started has ended\n")
        return 130
    except SandboxError as exc:
        sys.stderr.write(f"✗ {exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
