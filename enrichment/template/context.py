"""The context of one rendering: Jinja's variables and our meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2.runtime import Context

if TYPE_CHECKING:
    from enrichment.template.meter import Meter


class MeteredContext(Context):
    """Jinja's context with the meter of the rendering."""

    meter: Meter


def meter_of(context: Context) -> Meter:
    """Return the meter of the rendering that the context belongs to."""
    if not isinstance(context, MeteredContext):
        raise TypeError("the template was not rendered by enrichment.template")
    return context.meter
