"""Settings of the stores, MongoDB, Redis and SQL, and of the broker."""

from __future__ import annotations

from pydantic import Field, field_validator

from mongoclaw_project.config.group import ACCEPTED, Group


class MongoDBSettings(Group):
    """MongoDB: the users' documents, and the watcher's positions and leases."""

    uri: str = Field(
        "mongodb://localhost:27017",
        repr=False,
        description="Where MongoDB is. It must be a replica set or a sharded cluster.",
    )
    database: str = Field(
        "mongoclaw",
        min_length=1,
        max_length=63,
        description="The database of MongoClaw's own collections (positions, leases, captures).",
    )
    agents_collection: str = Field(
        "agents", json_schema_extra=ACCEPTED, description="Where 1.0.4 keeps its agents."
    )
    executions_collection: str = Field(
        "executions", json_schema_extra=ACCEPTED, description="Where 1.0.4 keeps its executions."
    )
    resume_tokens_collection: str = Field(
        "resume_tokens", description="Where the watcher keeps its positions in the streams."
    )
    max_pool_size: int = Field(100, ge=1, description="Most connections of one process to one server.")
    min_pool_size: int = Field(
        10, ge=0, json_schema_extra=ACCEPTED, description="Connections are opened when they are needed."
    )
    server_selection_timeout_ms: int = Field(
        5000, ge=1000, description="How long a call waits for a usable server, in milliseconds."
    )

    @field_validator("uri")
    @classmethod
    def _is_a_mongodb_uri(cls, value: str) -> str:
        if not value.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must start with mongodb:// or mongodb+srv://")
        return value


class RedisSettings(Group):
    """Redis or Valkey: messages in transit and fleet-wide limits; nothing that cannot be lost."""

    url: str = Field(
        "redis://localhost:6379/0",
        repr=False,
        description="Where Redis or Valkey is, as redis://, rediss:// or unix://; Redis Cluster will not do.",
    )
    max_connections: int = Field(
        50,
        ge=1,
        description="Most connections of one process; a worker takes twenty more than its threads at least.",
    )
    socket_timeout: float = Field(
        5.0,
        gt=0,
        description="How long a call may wait for an answer, in seconds; consumers wait 15 s at least.",
    )
    socket_connect_timeout: float = Field(
        5.0, gt=0, description="How long opening one connection may take, in seconds."
    )
    retry_on_timeout: bool = Field(
        default=True,
        json_schema_extra=ACCEPTED,
        description="Off always: a publish that is tried twice may arrive twice.",
    )
    stream_max_len: int = Field(
        100_000, ge=1, description="How many waiting rows of one agent count as full; see the backpressure."
    )
    consumer_group: str = Field(
        "mongoclaw-workers", description="The label `consumer_group` of the metric `mongoclaw_queue_pending`."
    )
    block_ms: int = Field(
        5000, ge=1, json_schema_extra=ACCEPTED, description="The polling interval of 1.0.4."
    )

    @field_validator("url")
    @classmethod
    def _is_a_redis_url(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "unix://")):
            elsewhere = "; Sentinel and RabbitMQ are named in MONGOCLAW_BROKER__URL"
            raise ValueError(f"must start with redis://, rediss:// or unix://{elsewhere}")
        return value


class BrokerSettings(Group):
    """The broker of the messages, where it is not the Redis of REDIS__URL."""

    url: str = Field(
        "",
        repr=False,
        description=(
            "Where messages go: redis://, rediss:// or unix:// for Redis or Valkey, sentinel://host:26379 for Redis "
            "with Sentinel (several, each with its scheme, are separated by `;`), amqp:// or amqps:// for RabbitMQ. "
            "When empty: REDIS__URL. Limits are kept in REDIS__URL always."
        ),
    )
    sentinel_master: str = Field(
        "mymaster", min_length=1, description="The name that Sentinel knows the master by."
    )
    sentinel_password: str = Field("", repr=False, description="The password of the Sentinels themselves.")
    delivery_limit: int = Field(
        20,
        ge=1,
        description=(
            "RabbitMQ gives up a message that it has delivered so often in vain, and puts it into the queue "
            "mongoclaw.dead. The run itself is in SQL, and comes again."
        ),
    )

    @field_validator("url")
    @classmethod
    def _is_a_brokers_url(cls, value: str) -> str:
        known = ("redis://", "rediss://", "unix://", "sentinel://", "amqp://", "amqps://")
        if any(part and not part.startswith(known) for part in value.split(";")):
            raise ValueError(f"must start with {', '.join(known[:-1])} or {known[-1]}")
        return value


class DatabaseSettings(Group):
    """SQL: agents, their versions, executions and attempts."""

    url: str = Field(
        "",
        repr=False,
        description=(
            "The SQL database: sqlite:///relative/path, sqlite:////absolute/path or "
            "postgresql://user:password@host/name. "
            "When empty: a SQLite file below STATE_DIR, in development only."
        ),
    )
    pool_size: int = Field(
        16, ge=1, description="Most connections of one process to PostgreSQL; its threads share them."
    )
    pool_timeout_seconds: float = Field(
        20.0, gt=0, description="How long a thread waits for one of them, in seconds."
    )
    busy_timeout_seconds: float = Field(
        20.0, gt=0, description="How long a write waits for another writer of the SQLite file, in seconds."
    )

    @field_validator("url")
    @classmethod
    def _is_a_known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
            raise ValueError("must start with sqlite:///, postgres:// or postgresql://")
        return value
