"""Telling before an agent is published that its address may not be called.

`check` is one of the publish checks that the setting AGENT_PUBLISH_CHECKS names. What counts is the worker's own
look at each call: a name may lead elsewhere by then.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, Final
from urllib.parse import urlsplit

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec import AgentSpec
from enrichment.errors import EgressRefused
from enrichment.providers.egress import Egress
from mongoclaw_project.config import current

PATIENCE_SECONDS: Final = 2.0
ADDRESSES: Final = {"external": ("external_url", "external_agent_url"), "custom": ("base_url",)}


def check(spec: AgentSpec) -> Iterator[str]:
    """Yield a warning where the address leads to a place that is closed. Raises SpecInvalid if it says so itself."""
    settings = current()
    egress = Egress.allowing(settings.security.egress_allow, loopback=settings.is_development)
    for name in ADDRESSES.get(spec.ai.provider, ()):
        host, port = _host_and_port(spec.ai.extra_params.get(name))
        if host:
            yield from _looked_at(egress, f"ai.extra_params.{name}", host, port)


def _looked_at(egress: Egress, path: str, host: str, port: int) -> Iterator[str]:
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        pool.submit(egress.vetted, host, port).result(timeout=PATIENCE_SECONDS)
    except EgressRefused as error:
        if _is_fixed(host):
            raise SpecInvalid(errors=[SpecProblem(path, str(error))]) from None
        yield f"{path}: {error}"
    except (OSError, UnicodeError, TookTooLong):
        return  # a name that cannot be looked up here may be known where the workers run
    finally:
        pool.shutdown(wait=False)


def _is_fixed(host: str) -> bool:
    """Tell whether a host leads to the same place wherever and whenever it is looked up."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_and_port(url: Any) -> tuple[str, int]:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "", 0  # what is no address is told by other checks
    return host or "", port or (443 if parts.scheme == "https" else 80)
