"""A person at the admin or the console: signed in, asking for one page after another."""

from __future__ import annotations

import re
import secrets
import statistics
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Final

from bench.fleet import run

LIST: Final = "/admin/executions_app/execution/"
ADMINISTRATOR: Final = "bench"
_PASSWORD: Final = secrets.token_hex(16)
_TIMES: Final = 7


class Browser:
    """Keeps its cookies, as a browser does."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    @property
    def cookies(self) -> str:
        """The value of the header that tells the server who asks."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def sign_in(self, name: str, password: str) -> None:
        """Sign in at the admin. Raises PermissionError if it refuses."""
        path = "/ui/login"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read(path))
        if token is None:
            raise PermissionError("the admin shows no login")
        told = {"username": name, "password": password, "csrfmiddlewaretoken": token[1], "next": LIST}
        page = self.read(path, urllib.parse.urlencode(told).encode())
        if "changelist" not in page:
            raise PermissionError("the admin does not let us in")

    def milliseconds(self, path: str) -> float:
        """Give the median time of a page, after a first one that is not counted."""
        self.read(path)
        spent = []
        for _ in range(_TIMES):
            started = time.perf_counter()
            self.read(path)
            spent.append((time.perf_counter() - started) * 1000)
        return round(statistics.median(spent), 1)

    def read(self, path: str, form: bytes | None = None) -> str:
        """Return a page. Raises OSError if there is none."""
        asked = urllib.request.Request(  # noqa: S310  a loopback address
            self._address + path, data=form, headers={"Referer": self._address + path}
        )
        with self._opener.open(asked, timeout=120) as reply:
            found: bytes = reply.read()
        return found.decode()


def create_administrator(environ: dict[str, str]) -> None:
    """Create somebody who may everything, as a user does."""
    words = ("createsuperuser", "--noinput", "--username", ADMINISTRATOR, "--email", "bench@example.com")
    run({**environ, "DJANGO_SUPERUSER_PASSWORD": _PASSWORD}, "manage.py", *words)


def signed_in(address: str) -> Browser:
    """Sign the administrator in to a web server that answers already."""
    browser = Browser(address)
    browser.sign_in(ADMINISTRATOR, _PASSWORD)
    return browser
