"""Ports are free, remembered, and given to one taker at a time."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.embedded.ports import FIRST_PORT, LAST_PORT, is_listening, remembered_port, reserved_port
from sandbox.errors import PortTaken


def test_a_port_is_kept_for_the_next_start(tmp_path: Path) -> None:
    memory = tmp_path / "server.port"
    with reserved_port(memory) as first:
        assert FIRST_PORT <= first <= LAST_PORT
    with reserved_port(memory) as second:
        assert second == first


def test_two_takers_get_two_ports(tmp_path: Path) -> None:
    memory = tmp_path / "server.port"
    with ExitStack() as held:
        ports = [held.enter_context(reserved_port(memory)) for _ in range(5)]
    assert len(set(ports)) == 5


def test_a_remembered_port_that_is_taken_gives_way(tmp_path: Path) -> None:
    memory = tmp_path / "server.port"
    with reserved_port(memory) as taken, socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        assert is_listening(taken)
        with reserved_port(memory) as port:
            assert port != taken
    assert remembered_port(memory) is not None


def test_a_port_that_was_asked_for_does_not_give_way(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(taken)), reserved_port(tmp_path / "port", port=taken):
            pass


@pytest.mark.parametrize("text", ["", "many", "0", "99999999"])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    memory = tmp_path / "port"
    memory.write_text(text)
    assert remembered_port(memory) is None


def test_a_start_that_fails_is_not_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "port"
    with pytest.raises(RuntimeError), reserved_port(memory):
        raise RuntimeError
    assert not memory.exists()
