"""The warning that agents have not seen something and nobody has decided about it."""

from __future__ import annotations

from typing import Any

from django import template

from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.models import GapStatus

register = template.Library()


@register.inclusion_tag("admin/executions_app/streamgap/warning.html", takes_context=True)
def gap_warning(context: dict[str, Any], agent_id: str | None = None) -> dict[str, Any]:
    """Warn of the gaps that are open, of one agent or of all, whoever may see them."""
    user = context["request"].user
    if not any(user.has_perm(f"executions_app.{may}_streamgap") for may in ("view", "change")):
        return {"count": 0}
    found = gaps.listed(agent_id=agent_id).filter(status=GapStatus.OPEN)
    held = found.filter(policy=HistoryPolicy.FAIL.value).order_by("agent_id")
    return {
        "count": found.count(),
        "held": list(held.values_list("agent_id", flat=True).distinct()),
        "agent_id": agent_id,
    }
