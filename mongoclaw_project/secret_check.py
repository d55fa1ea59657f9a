"""Telling before an agent is published that a secret stands in it, where everybody who sees the agent reads it.

`check` is one of the publish checks that the setting AGENT_PUBLISH_CHECKS names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from agents_app.spec import AgentSpec
from enrichment.providers.keys import is_reference
from mongoclaw_project.scrubbing import is_secret_name

TOKEN: Final = "external_auth_token"  # noqa: S105  # the name of the field
HEADERS: Final = "external_headers"


def check(spec: AgentSpec) -> Iterator[str]:
    """Yield a warning for each secret."""
    extra = spec.ai.extra_params
    token, headers = extra.get(TOKEN), extra.get(HEADERS)
    if isinstance(token, str) and not is_reference(token):
        yield (
            f"ai.extra_params.{TOKEN}: stands in the agent itself, where everybody who sees the agent reads it; "
            "name the place that holds it, such as env:MY_TOKEN or file:my-token"
        )
    for name in headers if isinstance(headers, Mapping) else ():
        if is_secret_name(str(name)):
            yield (
                f"ai.extra_params.{HEADERS}.{name}: stands in the agent itself, where everybody who sees the "
                f"agent reads it; use {TOKEN} with external_auth_header and name a variable"
            )
