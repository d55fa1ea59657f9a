"""How the trace of an execution writes prices and answers."""

from __future__ import annotations

import json
from typing import Any

from django import template

from executions_app.cost import cost_text

register = template.Library()


@register.filter
def cost(nanousd: int | None) -> str:
    """Write a price."""
    return cost_text(nanousd)


@register.filter
def as_json(value: Any) -> str:
    """Write a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
