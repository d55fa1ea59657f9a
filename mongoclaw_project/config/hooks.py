"""Settings of what comes from other systems and goes to them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, field_validator

from mongoclaw_project.config.group import Group


class WebhookSettings(Group):
    """Webhooks that are received. A route whose secret is not set takes nothing without an account."""

    github_secret: str = Field(
        "", repr=False, description="The secret of the webhook as GitHub has it; signs `/webhooks/github`."
    )
    slack_secret: str = Field(
        "", repr=False, description="The signing secret of the Slack app; signs `/webhooks/slack`."
    )
    secret: str = Field(
        "",
        repr=False,
        description=(
            "Signs `/webhooks/custom` and `/webhooks/alert` for senders without an API key: whoever has it may pause "
            "everything and trigger every agent. 16 characters or more."
        ),
    )


class NotificationEvent(StrEnum):
    """What another system can be told of."""

    DEAD_LETTER = "dead_letter"
    GAP = "gap"
    QUARANTINE = "quarantine"
    SLO = "slo"


class NotificationSettings(Group):
    """What another system is told."""

    url: str = Field(
        "",
        repr=False,
        description="Where notifications are posted as JSON. When empty: nobody is told anything.",
    )
    secret: str = Field(
        "", repr=False, description="Signs them as `X-MongoClaw-Signature`. When empty: they are not signed."
    )
    events: tuple[str, ...] = Field(
        tuple(NotificationEvent),
        description=(
            "What is told: `dead_letter` (the failed runs of an agent, a minute together), `gap`, `quarantine` (of an "
            "agent, or an account without credit) and `slo` (an agent breaks one of the goals below)."
        ),
    )
    slo_waiting_seconds: float = Field(
        300.0,
        ge=0,
        description=(
            "A change of an agent at work waits for no longer than this, in seconds. Backfills, dead letters that run "
            "again and what somebody pauses are no part of it. 0: no such goal."
        ),
    )
    slo_failed_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description=(
            "The share of an agent's runs that may fail, in a quarter of an hour and of 20 runs or more. "
            "0: no such goal."
        ),
    )
    slo_late_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description=(
            "The share of an agent's completed runs that may take longer than WORKER__LATENCY_SLO_MS, likewise. "
            "0: no such goal."
        ),
    )

    @field_validator("url")
    @classmethod
    def _is_an_http_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value

    @field_validator("events")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [event for event in value if event not in list(NotificationEvent)]
        if unknown:
            raise ValueError(f"must be among {', '.join(NotificationEvent)}")
        return value
