"""Names of servers in a stream of bytes, wherever the network cut it into pieces."""

from __future__ import annotations

from tests.acceptance.relay import rename

ALIASES = {b"127.0.0.1:20001\x00": b"127.0.0.1:40001\x00", b"127.0.0.1:20002\x00": b"127.0.0.1:40002\x00"}
TOLD = b"hosts\x00127.0.0.1:20001\x00127.0.0.1:20002\x00127.0.0.1:20003\x00end\x00"
RENAMED = b"hosts\x00127.0.0.1:40001\x00127.0.0.1:40002\x00127.0.0.1:20003\x00end\x00"


def test_names_are_replaced_wherever_the_stream_was_cut() -> None:
    for cut in range(len(TOLD) + 1):
        first, held = rename(TOLD[:cut], ALIASES)
        second, rest = rename(held + TOLD[cut:], ALIASES)
        assert (first + second, rest) == (RENAMED, b"")


def test_a_message_that_ends_as_bson_does_is_never_held_back() -> None:
    assert rename(b"at 127.0.0.1:20001\x00", ALIASES) == (b"at 127.0.0.1:40001\x00", b"")


def test_bytes_pass_unchanged_where_nothing_is_renamed() -> None:
    assert rename(TOLD, {}) == (TOLD, b"")
