"""The lines between our processes and the servers: one for each pair, so that one process can be cut off alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sandbox.embedded import ReplicaSet
from sandbox.embedded.ports import LOOPBACK
from tests.acceptance.conftest import Fleet
from tests.acceptance.relay import Relay
from tests.acceptance.storm.carriers import Carrier

SERVERS: Final = ("broker", "mongodb", "model")


@dataclass(frozen=True, slots=True)
class Network:
    """The relays of each process, by server; MongoDB has one for each member."""

    lines: Mapping[str, Mapping[str, tuple[Relay, ...]]]
    settings: Mapping[str, str]
    """The setting that leads to each server."""

    def environ(self, process: str, direct: Mapping[str, str]) -> dict[str, str]:
        """Settings of this process that lead it over its lines."""
        own = self.lines[process]
        moved = {setting: _moved(direct[setting], own[server]) for server, setting in self.settings.items()}
        return {**direct, **moved}


@contextmanager
def lay_lines(
    fleet: Fleet, mongods: ReplicaSet, carrier: Carrier, processes: Iterable[str]
) -> Iterator[Network]:
    """Open all lines, and close them in the end."""
    model_port = urlsplit(fleet.model.url).port or 0
    targets = {
        "broker": (carrier.server.port,),
        "mongodb": tuple(member.port for member in mongods.members),
        "model": (model_port,),
    }
    with ExitStack() as stack:

        def lines(ports: tuple[int, ...]) -> tuple[Relay, ...]:
            made = tuple(stack.enter_context(Relay(port)) for port in ports)
            if len(made) > 1:
                aliases = {
                    _address(port): _address(line.port) for port, line in zip(ports, made, strict=True)
                }
                for line in made:
                    line.aliases.update(aliases)
            return made

        laid = {name: {server: lines(ports) for server, ports in targets.items()} for name in processes}
        settings = (carrier.kind.setting, "MONGOCLAW_MONGODB__URI", "MONGOCLAW_AI__SANDBOX_URL")
        yield Network(laid, dict(zip(SERVERS, settings, strict=True)))


def _address(port: int) -> bytes:
    """A member's name on the wire, with the null after it that ends a text in BSON."""
    return f"{LOOPBACK}:{port}\0".encode()


def _moved(url: str, lines: tuple[Relay, ...]) -> str:
    """The same address by way of the lines."""
    parts = urlsplit(url)
    hosts = ",".join(f"{LOOPBACK}:{line.port}" for line in lines)
    somebody, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{somebody}{at}{hosts}").geturl()
