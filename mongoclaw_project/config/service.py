"""Settings of the service around the work: web server, security, logs and metrics."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator

from mongoclaw_project.config.group import ACCEPTED, Group

EVERYWHERE: Final = "*"


class SecretsBackend(StrEnum):
    """Where references to secrets are looked up."""

    ENV = "env"
    VAULT = "vault"
    AWS = "aws"


class LogLevel(StrEnum):
    """The least level that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(StrEnum):
    """What a log line looks like."""

    JSON = "json"
    CONSOLE = "console"


class APISettings(Group):
    """The web server."""

    host: str = Field("0.0.0.0", description="The address that `mongoclaw server api` listens on.")
    port: int = Field(8000, ge=1, le=65535, description="The port that `mongoclaw server api` listens on.")
    workers: int = Field(1, ge=1, description="Processes of `mongoclaw server api`.")
    threads: int = Field(8, ge=1, description="Requests that each of them serves at a time.")
    reload: bool = Field(default=False, description="Restart the web server when its code changes.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names that requests may carry. When empty: local names, in development only."
    )
    trusted_origins: tuple[str, ...] = Field(
        (),
        description="Origins, with their scheme, from which forms may be sent (`https://console.example.com`).",
    )
    behind_tls_proxy: bool = Field(
        default=False, description="Trust `X-Forwarded-Proto` of the proxy in front, and secure all cookies."
    )
    hsts_seconds: int = Field(
        30 * 86_400,
        ge=0,
        description="How long browsers shall ask this host by TLS only, in seconds; told behind a TLS proxy.",
    )
    cors_origins: tuple[str, ...] = Field(
        ("*",), description="Origins whose pages may read the answers for programs; `*` is every origin."
    )
    api_key_header: str = Field("X-API-Key", min_length=1, description="The header that carries an API key.")
    max_body_bytes: int = Field(
        17 * 1024 * 1024,
        ge=1024,
        description=(
            "The largest body that the HTTP API reads, in bytes; larger ones are answered 413. A document of MongoDB "
            "has 16 MB at most, but may be longer as JSON. Routes of webhooks take 2 MB."
        ),
    )
    rate_limit_requests: int = Field(
        100,
        ge=1,
        description="Requests to the HTTP API of one key or user in one window; further ones are answered 429.",
    )
    rate_limit_window_seconds: int = Field(
        60, ge=1, description="The length of that window, in seconds. It begins with the first request."
    )


class FlowerSettings(Group):
    """Flower, which shows queues and workers."""

    enabled: bool = Field(
        default=False,
        description=(
            "Workers tell Flower of each task, which takes half a millisecond; `mongoclaw dev` sets it while its "
            "Flower runs."
        ),
    )
    port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="The port of the Flower of `mongoclaw dev`. When empty: a free one, the same each time.",
    )


_HOST: Final = re.compile(r"(?!\d+(\.|$))[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")


def _is_network(name: str) -> bool:
    try:
        ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
    return True


class SecuritySettings(Group):
    """Keys and secrets."""

    secret_key: str = Field(
        "",
        repr=False,
        description=(
            "Signs sessions and forms; 32 characters or more. "
            "When empty: a random one, kept below STATE_DIR, in development only."
        ),
    )
    api_keys: tuple[str, ...] = Field((), repr=False, description="Keys that the HTTP API accepts.")
    egress_allow: tuple[str, ...] = Field(
        (),
        description=(
            "Hosts, addresses and networks (`10.1.0.0/16`) that agents may call although they are not on the open "
            "internet, by `external_url` or by the `base_url` of `custom`. In development also this machine."
        ),
    )
    secrets_dir: Path | None = Field(
        None,
        description=(
            "The directory of files that agents may name as secrets (`api_key_ref: file:team-a-api-key`), with nothing "
            "else in it. When empty: none."
        ),
    )
    secrets_backend: SecretsBackend = Field(
        SecretsBackend.ENV,
        json_schema_extra=ACCEPTED,
        description="Where references to secrets are looked up.",
    )
    vault_url: str | None = Field(None, json_schema_extra=ACCEPTED, description="Where Vault is.")
    vault_token: str | None = Field(
        None, repr=False, json_schema_extra=ACCEPTED, description="Vault's token."
    )
    vault_mount_point: str = Field("secret", json_schema_extra=ACCEPTED, description="Vault's mount point.")
    aws_region: str = Field("us-east-1", json_schema_extra=ACCEPTED, description="The region of AWS secrets.")
    pii_redaction_enabled: bool = Field(
        default=True, json_schema_extra=ACCEPTED, description="Personal data is not redacted yet."
    )
    audit_logging_enabled: bool = Field(
        default=True, json_schema_extra=ACCEPTED, description="Every run is on record in SQL, always."
    )

    @field_validator("egress_allow")
    @classmethod
    def _names_places(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not (_HOST.fullmatch(name) or _is_network(name)):
                raise ValueError(
                    f"'{name}' is neither a host name nor an address nor a network such as 10.1.0.0/16"
                )
        return names


class ObservabilitySettings(Group):
    """Logs, metrics and traces."""

    log_level: LogLevel = Field(LogLevel.INFO, description="The least level that is logged.")
    log_format: LogFormat = Field(LogFormat.JSON, description="JSON lines, or text for a terminal.")
    service_name: str = Field("mongoclaw", min_length=1, description="The `service` of every log line.")
    metrics_enabled: bool = Field(
        default=True, description="Whether web server, watchers and workers answer for `/metrics`."
    )
    metrics_host: str = Field("127.0.0.1", description="Where METRICS_PORT is open.")
    metrics_port: int = Field(
        9090,
        ge=0,
        le=65535,
        description=(
            "Where a worker answers for `/metrics`, `/health/live` and `/health/ready`. 0 turns that off. A port that "
            "is taken is a warning, and the worker works without. Watchers have MONGOCLAW_WATCHER__METRICS_PORT, the "
            "web server its own."
        ),
    )
    metrics_access: tuple[str, ...] = Field(
        (),
        description=(
            "Networks (`10.0.0.0/8`) from which the web server's `/metrics` is read without logging in; `*` is "
            "everywhere. When empty: everywhere in development, else nowhere. Whoever may view *figures by hour* may "
            "read it anyway. What comes through a proxy is of no network."
        ),
    )
    metrics_agents: int = Field(
        200,
        ge=1,
        description="So many agents have series of their own, the oldest first; all others together are `_other`.",
    )

    @field_validator("metrics_access")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            if network != EVERYWHERE:
                ipaddress.ip_network(network)
        return value

    tracing_enabled: bool = Field(default=False, json_schema_extra=ACCEPTED, description="Traces come later.")
    tracing_endpoint: str | None = Field(None, json_schema_extra=ACCEPTED, description="Likewise.")
    tracing_sample_rate: float = Field(0.1, ge=0, le=1, json_schema_extra=ACCEPTED, description="Likewise.")
