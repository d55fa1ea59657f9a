"""The reason codes: why an execution is where it is, and what each error means for it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from agents_app.errors import Decision, MongoClawError
from agents_app.spec.action import Action, FallbackAction, PolicyAction
from docs.generate.markdown import page, table
from executions_app.states import REASON_MEANINGS

_LEAD: Final = """
Every execution carries a status and a reason. The reason is a code of this page: it is stored, shown by
`mongoclaw executions list` and in the admin, and it never changes its meaning. Filter by it:
`mongoclaw executions list --reason max_hops`.
"""
_FROM_ERRORS: Final = """
## Errors of a run

The reason of a run that failed or waits is the code of its error. The class of the error decides what becomes
of the run.
"""
_FROM_COMMANDS: Final = """
## Errors of commands and processes

These never stand on an execution. Commands print the message and, with `--json`, the code.
"""
DECISIONS: Final[Mapping[Decision, str]] = {
    Decision.RETRY: "again, and an attempt is used up",
    Decision.DEFER: "again, and no attempt is used up",
    Decision.DEAD: "a dead letter: this document failed for good",
    Decision.PERMANENT: "a dead letter: the configuration is wrong",
}


def _decided(actions: Iterable[Action], beginning: str) -> dict[str, str]:
    """The reasons of decisions that write nothing, or nothing but for `policy.simulation_mode`."""
    ended = {f"policy_{action}": f"{beginning} {action.meaning}." for action in actions if not action.writes}
    simulated = {
        f"policy_simulation_{action}": f"`policy.simulation_mode`, so only on record: `{action}` {action.meaning}."
        for action in actions
    }
    return ended | simulated


POLICY_AND_WRITE: Final[Mapping[str, str]] = {
    **_decided(PolicyAction, "The policy's condition held, and its action"),
    **_decided(FallbackAction, "The policy's condition did not hold, and its fallback"),
    "strict_version_conflict": "`strict_post_commit`: what the prompt used changed during the model call.",
    "hash_conflict": "`require_document_hash_match`: the document changed while the model was asked.",
}
"""Reasons that are no members of `Reason`: decisions of `enrichment`, which knows no executions."""
RUN_PACKAGES: Final = ("enrichment", "tasks")
ALL_PACKAGES: Final = ("agents_app", *RUN_PACKAGES, "executions_app", "watcher", "mongoclaw_project")
_SKIPPED: Final = ("__main__", "migrations", ".wsgi", ".celery")  # importing these does something


def reference() -> str:
    """The whole page."""
    meanings = {**{reason.value: meaning for reason, meaning in REASON_MEANINGS.items()}, **POLICY_AND_WRITE}
    kinds = sorted(error_classes(), key=lambda kind: kind.code)
    return page(
        "Reason codes",
        _LEAD,
        "## States of a run\n\n"
        + table(("reason", "meaning"), ((f"`{code}`", meanings[code]) for code in sorted(meanings))),
        _FROM_ERRORS + "\n" + _errors([kind for kind in kinds if _ends_a_run(kind)]),
        _FROM_COMMANDS + "\n" + _others([kind for kind in kinds if not _ends_a_run(kind)]),
    )


def error_classes() -> frozenset[type[MongoClawError]]:
    """Every class of the error tree."""
    for package in ALL_PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not any(part in module.name for part in _SKIPPED):
                importlib.import_module(module.name)
    return frozenset(kind for kind in _below(MongoClawError) if kind.__module__.split(".")[0] in ALL_PACKAGES)


def first_line(kind: type[MongoClawError]) -> str:
    """The class's default message."""
    return (inspect.getdoc(kind) or kind.__name__).splitlines()[0]


def _ends_a_run(kind: type[MongoClawError]) -> bool:
    return kind.__module__.split(".")[0] in RUN_PACKAGES


def _below(kind: type[MongoClawError]) -> Iterator[type[MongoClawError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


def _errors(kinds: list[type[MongoClawError]]) -> str:
    rows = ((f"`{kind.code}`", first_line(kind), DECISIONS[kind.decision]) for kind in kinds)
    return table(("reason", "meaning", "what becomes of the run"), rows)


def _others(kinds: list[type[MongoClawError]]) -> str:
    return table(("code", "meaning"), ((f"`{kind.code}`", first_line(kind)) for kind in kinds))
