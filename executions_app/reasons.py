"""Which reason codes there are for dead letters: what a filter may name, and what is a slip of the pen."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final

from agents_app.errors import MongoClawError
from executions_app.models import Execution, StrayMessage
from executions_app.states import DEAD, Reason

OF_TASKS: Final = frozenset(
    {"filter_error", "image_missing", "input_changed", "ledger_unreachable", "pipeline_error", "run_deadline"}
)
"""The codes of `tasks.errors`, which nothing here may import; a test compares them."""


def on_record() -> list[str]:
    """Name the reasons that dead letters have, discarded ones too."""
    return sorted(
        {
            reason
            for rows in (Execution.objects.all(), StrayMessage.objects.all())
            for reason in rows.filter(status__in=DEAD).order_by().values_list("reason", flat=True).distinct()
        }
    )


def is_known(reason: str) -> bool:
    """Whether a run or message can have this reason, or one on record has it."""
    return reason in {*map(str, Reason), *OF_TASKS} or reason in on_record() or reason in _of_enrichment()


def _of_enrichment() -> set[str]:
    """Collect the codes of the error tree: each concern keeps its family beside itself, and some are imported late."""
    enrichment = importlib.import_module("enrichment")
    for module in pkgutil.walk_packages(enrichment.__path__, "enrichment."):
        importlib.import_module(module.name)
    return {kind.code for kind in _below(MongoClawError)}


def _below(kind: type[MongoClawError]) -> Iterator[type[MongoClawError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)
