"""Connections that go only where they may: to an address that was looked at, and not looked up once more."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from enrichment.providers.egress import Egress


class Guarded(HTTPConnection):
    """With an `egress` it vets each address before it connects. Without one the address is the operator's own."""

    def __init__(self, *args: Any, egress: Egress | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.egress = egress

    def _new_conn(self) -> socket.socket:
        if self.egress is None:
            return super()._new_conn()
        host = self._dns_host
        try:
            addresses = self.egress.vetted(host, self.port)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        try:
            return self._first_that_answers(addresses)
        finally:
            self._dns_host = host  # the certificate is of the name

    def _first_that_answers(self, addresses: list[str]) -> socket.socket:
        *others, last = addresses
        for self._dns_host in others:
            with suppress(ConnectTimeoutError, NewConnectionError):
                return super()._new_conn()
        self._dns_host = last
        return super()._new_conn()
