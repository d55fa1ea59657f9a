"""What may be sent to the broker under the limits: rows that a worker would only put off stay where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from executions_app.limits.limiter import Limiter, LimiterUnavailable
from executions_app.limits.rules import Rules

log = structlog.get_logger(__name__)


class Allowance:
    """Asks the limiter on behalf of dispatch."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def most(self, asked: Sequence[Rules]) -> Mapping[str, int]:
        """Return, for those agents that something limits, how many of their calls may begin now.

        Where the limiter does not answer, agents with limits of their own may begin none; see `tasks.gate`.
        """
        try:
            pauses = self._limiter.pauses()
            concerned = [rules for rules in asked if rules.is_bounded or pauses.known(rules.names)]
            return self._limiter.rooms(concerned) if concerned else {}
        except LimiterUnavailable:
            return {rules.agent_id: 0 for rules in asked if rules.is_bounded}
