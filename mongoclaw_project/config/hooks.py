"""Settings of what comes from other systems and goes to them."""

from __future__ import annotations

from pydantic import Field

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
