"""The minimal HTTP reader takes requests as they come, in pieces or together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.http import HttpError, Request, take_request

ONE = b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


@given(st.lists(st.integers(1, 40), max_size=10))
def test_the_pieces_do_not_matter(sizes: list[int]) -> None:
    buffer, rest, taken = bytearray(), ONE + ONE, []
    for size in [*sizes, len(rest)]:
        buffer += rest[:size]
        rest = rest[size:]
        while (request := take_request(buffer)) is not None:
            taken.append(request)
    assert taken == [Request("POST", "/v1/chat/completions", "x=1", b"hello", keep_alive=True)] * 2


def test_connection_close_is_honoured() -> None:
    request = take_request(bytearray(b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"))
    assert request is not None
    assert not request.keep_alive


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"nonsense\r\n\r\n", 400),
        (b"x" * 70_000, 400),
    ],
)
def test_what_cannot_be_read_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        take_request(bytearray(head))
    assert caught.value.status == status
