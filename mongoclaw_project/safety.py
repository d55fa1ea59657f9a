"""Dangerous combinations of settings, as plain rules.

Each rule has an id that never changes its meaning. `E` stops every process; `W` is told once. The rules are
pure, so that Django's checks, the web server, the worker and `mongoclaw doctor` all say the same. W002 was about
missing API keys, which users make for themselves now; no other rule takes its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from mongoclaw_project.config import Environment, Settings

LEAST_SECRET: Final = 32


@dataclass(frozen=True, slots=True)
class Danger:
    """A combination of settings that must not, or should not, run."""

    id: str
    message: str
    hint: str

    @property
    def is_error(self) -> bool:
        """Whether nothing may start with it."""
        return self.id.startswith("E")


Rule = Callable[[Settings], Iterator[Danger]]


def dangers(settings: Settings) -> tuple[Danger, ...]:
    """All that is dangerous about these settings, errors first."""
    found = [danger for rule in RULES for danger in rule(settings)]
    return tuple(sorted(found, key=lambda danger: danger.id))


def _secret_key(settings: Settings) -> Iterator[Danger]:
    key = settings.security.secret_key
    if not key and not settings.is_development:
        yield Danger(
            "E001",
            f"there is no secret key, but this is {settings.environment}",
            "set MONGOCLAW_SECURITY__SECRET_KEY or MONGOCLAW_SECURITY__SECRET_KEY_FILE",
        )
    if key and len(key) < LEAST_SECRET:
        yield Danger(
            "E003",
            f"the secret key has fewer than {LEAST_SECRET} characters",
            "give MONGOCLAW_SECURITY__SECRET_KEY a long random value",
        )


def _database(settings: Settings) -> Iterator[Danger]:
    url = settings.database.url
    if not url:
        yield Danger(
            "E002",
            f"there is no SQL database, but this is {settings.environment}",
            "set MONGOCLAW_DATABASE__URL",
        )
    if url.startswith("sqlite:") and settings.environment is Environment.PRODUCTION:
        yield Danger(
            "W001",
            "SQLite serves the processes of one host only",
            "with several hosts set MONGOCLAW_DATABASE__URL to a postgresql:// address",
        )


def _debug(settings: Settings) -> Iterator[Danger]:
    if settings.debug and not settings.is_development:
        yield Danger(
            "E004",
            f"debugging shows internals to every client, but this is {settings.environment}",
            "unset MONGOCLAW_DEBUG",
        )


def _api_keys(settings: Settings) -> Iterator[Danger]:
    if (
        any(len(key) < LEAST_SECRET // 2 for key in settings.security.api_keys)
        and not settings.is_development
    ):
        yield Danger(
            "W003",
            f"an API key has fewer than {LEAST_SECRET // 2} characters and can be guessed",
            "use long random keys, or keys of users: `mongoclaw keys create`",
        )


def _cors(settings: Settings) -> Iterator[Danger]:
    if "*" in settings.api.cors_origins and settings.environment is Environment.PRODUCTION:
        yield Danger(
            "W004",
            "pages of every origin may read the HTTP API's answers",
            "set MONGOCLAW_API__CORS_ORIGINS to your own origins, or to the empty list",
        )


def _hosts(settings: Settings) -> Iterator[Danger]:
    if not settings.api.allowed_hosts and not settings.is_development:
        yield Danger(
            "W005",
            "no host name is allowed: the web server refuses every request",
            "set MONGOCLAW_API__ALLOWED_HOSTS",
        )
    if "*" in settings.api.allowed_hosts and not settings.is_development:
        yield Danger(
            "W006",
            "requests may carry any host name",
            "list your own in MONGOCLAW_API__ALLOWED_HOSTS",
        )


def _heartbeat(settings: Settings) -> Iterator[Danger]:
    worker = settings.worker
    if worker.heartbeat_timeout_seconds < 3 * worker.heartbeat_seconds:
        yield Danger(
            "E005",
            "one late heartbeat would give a live worker's runs to another",
            "make MONGOCLAW_WORKER__HEARTBEAT_TIMEOUT_SECONDS three times HEARTBEAT_SECONDS at least",
        )


def _open_redis(settings: Settings) -> Iterator[Danger]:
    parts = urlsplit(settings.redis.url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"} or parts.scheme == "unix"
    if parts.password is None and not local and not settings.is_development:
        yield Danger(
            "W007",
            "Redis takes commands from everybody who reaches it",
            "give it a password and put it into MONGOCLAW_REDIS__URL",
        )


def _open_broker(settings: Settings) -> Iterator[Danger]:
    first = settings.broker.url.partition(";")[0]
    parts = urlsplit(first)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"} or parts.scheme in {"", "unix"}
    if parts.password in (None, "guest") and not local and not settings.is_development:
        yield Danger(
            "W008",
            "the broker takes messages from everybody who reaches it",
            "give it a password and put it into MONGOCLAW_BROKER__URL",
        )


def _webhooks(settings: Settings) -> Iterator[Danger]:
    secrets = settings.webhooks.model_dump()
    weak = [name for name, secret in secrets.items() if secret and len(secret) < LEAST_SECRET // 2]
    if weak and not settings.is_development:
        named = ", ".join(f"MONGOCLAW_WEBHOOKS__{name.upper()}" for name in weak)
        yield Danger(
            "W020",
            f"a webhook's secret has fewer than {LEAST_SECRET // 2} characters and can be guessed",
            f"give {named} a long random value, and the sender the same",
        )


RULES: Final[tuple[Rule, ...]] = (
    _secret_key,
    _database,
    _debug,
    _api_keys,
    _cors,
    _hosts,
    _heartbeat,
    _open_redis,
    _open_broker,
    _webhooks,
)
