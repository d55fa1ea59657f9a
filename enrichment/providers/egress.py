"""Which addresses an agent's author may have called: the open internet, and what the operator names.

Whoever may write agents must not thereby reach what only this machine can: its own services, its network, the
metadata of its cloud.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from enrichment.errors import EgressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SETTING: Final = "MONGOCLAW_SECURITY__EGRESS_ALLOW"
_EMBEDDING: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
_TRANSLATED_LOCALLY: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_LOW_32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Egress:
    """What may be called beside the internet: hosts by name, networks, and with `loopback` this machine."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    loopback: bool = False

    @classmethod
    def allowing(cls, names: Iterable[str], *, loopback: bool) -> Egress:
        """Read host names, addresses and networks such as `10.1.0.0/16`."""
        hosts, networks = set(), []
        for name in names:
            try:
                networks.append(ipaddress.ip_network(name, strict=False))
            except ValueError:
                hosts.add(_plain(name))
        return cls(frozenset(hosts), tuple(networks), loopback)

    def permits(self, host: str, address: Address) -> bool:
        """Tell whether a host may be called at an address."""
        if _plain(host) in self.hosts:
            return True
        meant = _embedded(address)
        if any(meant in network for network in self.networks if network.version == meant.version):
            return True
        if meant.is_loopback:
            return self.loopback
        return meant.is_global and not meant.is_multicast and meant not in _TRANSLATED_LOCALLY

    def vetted(self, host: str, port: int) -> list[str]:
        """Look a host up and give the addresses that may be called. Raises EgressRefused, socket.gaierror."""
        found = list(dict.fromkeys(_looked_up(host, port)))
        good = [str(address) for address in found if self.permits(host, address)]
        if not good:
            raise EgressRefused(refusal(host, found))
        return good


def refusal(host: str, found: Iterable[Address]) -> str:
    """Say why a host is not called, and what to do about it."""
    told = ", ".join(map(str, found))
    place = host if told == host else f"{host} ({told})"
    return f"{place} is not on the open internet; to let agents call it, name it in {SETTING}"


def _looked_up(host: str, port: int) -> Iterable[Address]:
    plain = host.strip("[]")
    for *_, where in socket.getaddrinfo(plain, port, type=socket.SOCK_STREAM):
        yield ipaddress.ip_address(str(where[0]).partition("%")[0])


def _embedded(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 address stands for, if it does for one."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return address
    if any(address in network for network in _EMBEDDING):
        return ipaddress.IPv4Address(int(address) & _LOW_32)
    return address.ipv4_mapped or address.sixtofour or address


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
