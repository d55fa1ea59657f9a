"""The settings object: every setting of MongoClaw, typed and frozen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mongoclaw_project.config.group import ACCEPTED
from mongoclaw_project.config.hooks import NotificationSettings, WebhookSettings
from mongoclaw_project.config.retention import RetentionSettings
from mongoclaw_project.config.service import (
    APISettings,
    FlowerSettings,
    ObservabilitySettings,
    SecuritySettings,
)
from mongoclaw_project.config.stores import (
    BrokerSettings,
    DatabaseSettings,
    MongoDBSettings,
    RedisSettings,
)
from mongoclaw_project.config.work import AISettings, WatcherSettings, WorkerSettings


class Environment(StrEnum):
    """What this installation is for."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Every setting, read once and never changed."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    environment: Environment = Field(
        Environment.DEVELOPMENT,
        description="What this installation is for: outside development nothing has an insecure default.",
    )
    debug: bool = Field(default=False, description="Show details of errors to web clients; development only.")
    state_dir: Path = Field(
        Path(".mongoclaw"),
        description="Where files live: embedded servers, the SQLite file, development secrets.",
    )
    leader_election_enabled: bool = Field(
        default=True, json_schema_extra=ACCEPTED, description="Watchers always elect."
    )
    hot_reload_enabled: bool = Field(
        default=True, json_schema_extra=ACCEPTED, description="Changed agents always take effect at once."
    )
    mongodb: MongoDBSettings = Field(default_factory=MongoDBSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    ai: AISettings = Field(default_factory=AISettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    watcher: WatcherSettings = Field(default_factory=WatcherSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    api: APISettings = Field(default_factory=APISettings)
    flower: FlowerSettings = Field(default_factory=FlowerSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    observability: ObservabilitySettings = Field(default_factory=ObservabilitySettings)

    @property
    def broker_url(self) -> str:
        """Where messages go."""
        return self.broker.url or self.redis.url

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's machine, where defaults may be convenient."""
        return self.environment is Environment.DEVELOPMENT

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load_settings` only, which knows old, misspelt and `*_FILE` names."""
        return (init_settings,)
