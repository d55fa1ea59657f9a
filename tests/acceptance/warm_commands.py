"""A `mongoclaw` that has imported all it needs: each command is a fork of it and costs no start of Python.

`python -m tests.acceptance.warm_commands SOCKET` waits for commands; FUNCTION is what a shell calls them by.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Final, NoReturn

FUNCTION: Final = """
mongoclaw() {
    python -ISE -c 'import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["WARM"])
asked = {"words": sys.argv[1:], "folder": os.getcwd(), "environ": dict(os.environ)}
socket.send_fds(line, [json.dumps(asked).encode()], [0, 1, 2])
sys.exit(line.recv(1)[0])' "$@"
}
"""
_LONGEST: Final = 1 << 16


def serve(address: str) -> NoReturn:
    """Answer one command after the other, each with its exit code."""
    from mongoclaw_project.cli.bootstrap import set_up_django
    from mongoclaw_project.cli.main import COMMANDS

    set_up_django()
    for command in COMMANDS:
        command.load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            caller, _ = listening.accept()
            with caller:
                asked, given, *_ = socket.recv_fds(caller, _LONGEST, 3)
                caller.send(bytes([_answer(json.loads(asked), given)]))


def _answer(asked: dict[str, Any], given: list[int]) -> int:
    child = os.fork()
    if not child:
        _become(asked, given)
    for descriptor in given:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(asked: dict[str, Any], given: list[int]) -> NoReturn:
    """Be the command, with the caller's streams, folder and environment."""
    from mongoclaw_project.cli.main import main

    code: object = 1
    try:
        for stream, descriptor in enumerate(given):
            os.dup2(descriptor, stream)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environ"])
        main(asked["words"])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(sys.argv[1])
