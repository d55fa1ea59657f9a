"""Just enough HTTP/1.1 for one protocol class: bodies with a Content-Length, keep-alive, no chunks.

Hand-written because a general server costs several times the CPU of a call, and the sandbox shares
the cores with what it measures.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
    411: "Length Required", 413: "Content Too Large", 429: "Too Many Requests", 500: "Internal Server Error",
    503: "Service Unavailable", 529: "Overloaded",
}  # fmt: skip


class HttpError(Exception):
    """The request cannot be read; the connection ends after the reply with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` is without the query."""

    method: str
    path: str
    query: str
    body: bytes
    keep_alive: bool


def take_request(buffer: bytearray) -> Request | None:
    """Removes a whole request from the front of the buffer, None while incomplete; raises HttpError."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD:
            raise HttpError(400, "the head of the request is too long")
        return None
    start, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    length, keep_alive = _read_headers(lines)
    whole = end + 4 + length
    if len(buffer) < whole:
        return None
    try:
        method, target, version = start.split(" ")
    except ValueError:
        raise HttpError(400, "the first line of the request is malformed") from None
    path, _, query = target.partition("?")
    body = bytes(buffer[end + 4 : whole])
    del buffer[:whole]
    return Request(method, path, query, body, keep_alive if keep_alive is not None else version != "HTTP/1.0")


def _read_headers(lines: list[str]) -> tuple[int, bool | None]:
    length, keep_alive = 0, None
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        if name == "content-length":
            if not value.strip().isdigit():
                raise HttpError(400, "Content-Length is no number")
            length = int(value)
        elif name == "connection":
            keep_alive = "close" not in value.lower()
        elif name == "transfer-encoding":
            raise HttpError(411, "send the body with Content-Length")
    if length > MAX_BODY:
        raise HttpError(413, "the body is too large")
    return length, keep_alive


def response(
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    keep_alive: bool = True,
    extra: str = "",
) -> bytes:
    """A whole response; `extra` holds further header lines, each ended by CRLF."""
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n{extra}connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + body
