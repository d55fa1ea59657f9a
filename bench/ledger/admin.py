"""A person in the admin: signed in, asking for one page after another."""

from __future__ import annotations

import re
import statistics
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import Final

from bench.fleet import Fleet, run

LIST: Final = "/admin/executions_app/execution/"
_NAME: Final = "bench"
_TIMES: Final = 7


class Browser:
    """Keeps its cookies, as a browser does."""

    def __init__(self, address: str) -> None:
        self._address = address
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(cookies)

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


def signed_in(fleet: Fleet) -> Browser:
    """Create an administrator as a user does, and sign in to the web server, which answers already."""
    password = "only-for-the-bench"  # noqa: S105 - of a server that lives for minutes
    environ = {**fleet.environ, "DJANGO_SUPERUSER_PASSWORD": password}
    words = ("createsuperuser", "--noinput", "--username", _NAME, "--email", "bench@example.com")
    run(environ, "manage.py", *words)
    browser = Browser(fleet.web)
    browser.sign_in(_NAME, password)
    return browser
