"""Real servers started on loopback with their data in one directory: MongoDB, Valkey, PostgreSQL, RabbitMQ."""

from __future__ import annotations

from sandbox.embedded.members import ReplicaSet, start_replica_set
from sandbox.embedded.mongod import start_mongod
from sandbox.embedded.postgres import start_postgres
from sandbox.embedded.rabbitmq import start_rabbitmq
from sandbox.embedded.sentinel import start_sentinel
from sandbox.embedded.server import RunningServer
from sandbox.embedded.valkey import start_valkey

__all__ = [
    "ReplicaSet",
    "RunningServer",
    "start_mongod",
    "start_postgres",
    "start_rabbitmq",
    "start_replica_set",
    "start_sentinel",
    "start_valkey",
]
