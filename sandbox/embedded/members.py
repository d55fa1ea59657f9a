"""A replica set of several mongods on loopback, whose members may be killed and brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from sandbox.embedded.mongod import OPLOG_MB, start_member
from sandbox.embedded.ports import LOOPBACK
from sandbox.embedded.replica_set import SET_NAME
from sandbox.errors import ServerStartFailed
from sandbox.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.embedded.server import RunningServer

ELECTION_MILLISECONDS = 1500
HEARTBEAT_MILLISECONDS = 250
STEP_DOWN_SECONDS = 3
_DATA_STATES = frozenset({"PRIMARY", "SECONDARY"})

Client = MongoClient[dict[str, Any]]


class ReplicaSet:
    """Members by number, from 0; `url` names them all. Not thread-safe: one thread kills and restarts."""

    def __init__(self, members: list[RunningServer], *, die_with_parent: bool, start_seconds: float) -> None:
        self.members = members
        self._die_with_parent = die_with_parent
        self._seconds = start_seconds

    @property
    def url(self) -> str:
        """The address that clients use."""
        hosts = ",".join(f"{LOOPBACK}:{member.port}" for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={SET_NAME}"

    def primary(self, *, seconds: float = 30.0) -> int:
        """The number of the member that accepts writes now.

        Waits `seconds` at most for one; raises ServerStartFailed.
        """
        found: list[int] = []

        def is_there() -> bool:
            found[:] = [number for number, member in enumerate(self.members) if _is_writable(member)]
            return bool(found)

        if not wait_until(is_there, seconds=seconds, poll=0.1):
            raise ServerStartFailed(f"the replica set has had no primary for {seconds:.0f} s")
        return found[0]

    def is_whole(self) -> bool:
        """Whether every member runs, holds the data, and one of them is the primary."""
        if not all(member.is_alive() for member in self.members):
            return False
        states = self._states()
        return set(states) <= _DATA_STATES and states.count("PRIMARY") == 1

    def wait_until_whole(self, *, seconds: float = 60.0) -> None:
        """Waits for `is_whole`; raises ServerStartFailed when `seconds` are over."""
        if not wait_until(self.is_whole, seconds=seconds, poll=0.1):
            raise ServerStartFailed(f"the replica set is not whole after {seconds:.0f} s: {self._states()}")

    def kill(self, member: int) -> None:
        """SIGKILL to one member; the others elect a new primary if it was the primary."""
        self.members[member].kill()

    def restart(self, member: int) -> None:
        """Starts a member that was killed, at its own port with its own data; returns once it listens."""
        before = self.members[member]
        self.members[member] = start_member(
            before.data_dir,
            port=before.port,
            die_with_parent=self._die_with_parent,
            start_seconds=self._seconds,
        )

    def step_down(self) -> bool:
        """Makes the primary give up for some seconds; says whether it did.

        It refuses where no other member has caught up in time.
        """
        command = {
            "replSetStepDown": STEP_DOWN_SECONDS,
            "secondaryCatchUpPeriodSecs": STEP_DOWN_SECONDS - 1,
        }
        with _client(self.members[self.primary()].port) as client:
            try:
                client.admin.command(command)
            except AutoReconnect:
                return True  # it may close its connections before it answers
            except PyMongoError:
                return False
        return True

    def stop(self) -> None:
        """Ends all members, without elections in between; calling it again does nothing."""
        for member in self.members:
            member.kill()

    def initiate(self) -> None:
        """Makes the started members a set, once; raises ServerStartFailed."""
        hosts = [
            {"_id": number, "host": f"{LOOPBACK}:{member.port}"} for number, member in enumerate(self.members)
        ]
        settings = {
            "electionTimeoutMillis": ELECTION_MILLISECONDS,
            "heartbeatIntervalMillis": HEARTBEAT_MILLISECONDS,
            "heartbeatTimeoutSecs": 2,
        }
        with _client(self.members[0].port) as client:
            try:
                client.admin.command(
                    "replSetInitiate", {"_id": SET_NAME, "members": hosts, "settings": settings}
                )
            except PyMongoError as exc:
                raise ServerStartFailed(f"the mongods could not be made a replica set: {exc}") from exc
        self.wait_until_whole(seconds=self._seconds)

    def _states(self) -> list[str]:
        """What a member that answers says of all of them."""
        for member in self.members:
            if not member.is_alive():
                continue
            with _client(member.port) as client:
                try:
                    told = client.admin.command("replSetGetStatus")["members"]
                except PyMongoError:
                    continue
                return [str(one["stateStr"]) for one in told]
        return []


def start_replica_set(
    directory: Path,
    *,
    members: int = 3,
    oplog_mb: int = OPLOG_MB,
    die_with_parent: bool = True,
    start_seconds: float = 60.0,
) -> ReplicaSet:
    """Starts a new set with its data in `directory` and waits until all members hold the data.

    A lost primary is replaced after one to two seconds. Raises BinaryMissing, DataDirectoryBusy or
    ServerStartFailed; then nothing is left running.
    """
    started: list[RunningServer] = []

    def start(number: int) -> RunningServer:
        place = directory / f"member-{number}"
        return start_member(
            place, oplog_mb=oplog_mb, die_with_parent=die_with_parent, start_seconds=start_seconds
        )

    try:
        # One by one into the list: what runs already is ended if a later one does not start.
        started.extend(start(number) for number in range(members))
        made = ReplicaSet(started, die_with_parent=die_with_parent, start_seconds=start_seconds)
        made.initiate()
    except BaseException:
        for server in started:
            server.kill()
        raise
    return made


def _is_writable(member: RunningServer) -> bool:
    if not member.is_alive():
        return False
    with _client(member.port) as client:
        try:
            return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False


def _client(port: int) -> Client:
    return MongoClient(
        f"mongodb://{LOOPBACK}:{port}/?directConnection=true",
        serverSelectionTimeoutMS=2_000,
        connectTimeoutMS=2_000,
        socketTimeoutMS=20_000,
    )
