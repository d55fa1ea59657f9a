"""`python -m sandbox.model --port N --latency-ms 200`: serves the stand-in model until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox.model import NOTICE
from sandbox.model.latency import parse_latency
from sandbox.model.server import ModelState, serve


def main() -> int:
    """Runs the server; exit code 2 for wrong arguments, 1 if the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.model", description=NOTICE)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--latency-ms", default="0", help="200, 100-300 (uniform) or lognormal:200:0.5")
    parser.add_argument("--seed", type=int, default=0, help="of the distribution of the latency")
    options = parser.parse_args()
    try:
        state = ModelState(latency=parse_latency(options.latency_ms, seed=options.seed))
    except ValueError as exc:
        parser.error(str(exc))
    try:
        asyncio.run(serve(state, options.port, ready=_announce))
    except OSError as exc:
        sys.stderr.write(f"port {options.port} on 127.0.0.1 cannot be used: {exc.strerror}\n")
        return 1
    return 0


def _announce(port: int) -> None:
    sys.stdout.write(f"sandbox model on http://127.0.0.1:{port}/v1 - {NOTICE}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
