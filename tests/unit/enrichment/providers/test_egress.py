from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from enrichment.errors import EgressRefused
from enrichment.providers.egress import Egress

STRICT = Egress()
INSIDE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # the metadata of most clouds
    "100.100.100.200",  # Alibaba's
    "fd00:ec2::254",  # Amazon's over IPv6
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "::ffff:10.0.0.1",  # the same places in other words
    "::ffff:169.254.169.254",
    "::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.1",
    "2002:a00:1::",
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_only_we_can_reach_is_not_called(address: str) -> None:
    assert not STRICT.permits("name.example", ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"])
def test_the_open_internet_is(address: str) -> None:
    assert STRICT.permits("name.example", ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("allowed", "host", "address", "permitted"),
    [
        (["10.1.0.0/16"], "h", "10.1.2.3", True),
        (["10.1.0.0/16"], "h", "::ffff:10.1.2.3", True),
        (["10.1.0.0/16"], "h", "10.2.0.1", False),
        (["10.1.2.3"], "h", "10.1.2.3", True),
        (["fd12::/16"], "h", "fd12::1", True),
        (["models.internal"], "models.internal", "10.9.9.9", True),
        (["models.internal"], "MODELS.internal.", "10.9.9.9", True),
        (["models.internal"], "other.models.internal", "10.9.9.9", False),
        (["127.0.0.1"], "h", "127.0.0.1", True),
    ],
)
def test_the_operator_names_what_may_be_called_too(
    allowed: list[str], host: str, address: str, permitted: bool
) -> None:
    egress = Egress.allowing(allowed, loopback=False)
    assert egress.permits(host, ipaddress.ip_address(address)) is permitted


def test_in_development_this_machine_may_be_called_and_nothing_else() -> None:
    egress = Egress.allowing([], loopback=True)
    for address in INSIDE:
        is_this = address in {"127.0.0.1", "127.8.8.8", "::1"}
        assert egress.permits("h", ipaddress.ip_address(address)) is is_this, address


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_of_several_addresses_only_the_open_ones_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.0.0.1", "8.8.8.8", "fe80::1%eth0", "8.8.8.8")
    assert STRICT.vetted("h", 443) == ["8.8.8.8"]


def test_the_refusal_names_the_place_and_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "169.254.169.254")
    with pytest.raises(EgressRefused, match=r"h \(169\.254\.169\.254\) .* MONGOCLAW_SECURITY__EGRESS_ALLOW"):
        STRICT.vetted("h", 80)


@pytest.mark.parametrize("spelling", ["127.1", "2130706433", "0x7f000001", "017700000001", "localhost"])
def test_other_spellings_of_this_machine_are_this_machine(spelling: str) -> None:
    with pytest.raises(EgressRefused):
        STRICT.vetted(spelling, 80)
