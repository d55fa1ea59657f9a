"""The model providers as commands and web processes see them."""

from __future__ import annotations

import os

from enrichment.providers import ProviderConfig
from enrichment.providers.egress import Egress
from mongoclaw_project.config import current


def provider_config() -> ProviderConfig:
    """What providers are given outside of workers: the settings and keys that a worker has in this environment."""
    settings = current()
    return ProviderConfig(
        sandbox_url=settings.ai.sandbox_url,
        request_timeout=settings.ai.request_timeout,
        pool_size=1,
        direct=settings.ai.direct_client,
        egress=Egress.allowing(settings.security.egress_allow, loopback=settings.is_development),
        env=dict(os.environ),
        secrets_dir=settings.security.secrets_dir,
    )
