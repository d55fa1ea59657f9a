"""What the demo says before it starts, and whether it may spend money."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sandbox.demo.real_model import RealModel, real_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SANDBOX = (
    "The model is the sandbox, which is no language model: its answers fit the schema and mean nothing."
)


def choose_model(
    environ: Mapping[str, str], documents: int, *, yes: bool, ask: Callable[[str], str], can_ask: bool
) -> RealModel | None:
    """The real model to use, None for the sandbox: a model costs money, so it is asked for first."""
    model = real_model(environ)
    if model is None:
        return None
    price = (
        f"{model.key} is set, so the demo can use {model.provider}'s {model.name}. "
        f"For {documents} documents that costs about ${model.estimate_usd(documents):.2f} at list prices."
    )
    sys.stdout.write(f"{price}\n")
    sys.stdout.flush()
    if yes:
        return model
    if not can_ask:
        sys.stdout.write("There is no terminal to ask at, so the sandbox answers; --yes uses the model.\n")
        return None
    return model if ask("Use it? [y/N] ").strip().lower() in ("y", "yes") else None


def introduction(documents: int, model: RealModel | None) -> str:
    """What is about to happen."""
    who = f"The model is {model.provider}'s {model.name}." if model else _SANDBOX
    return (
        f"\nMongoClaw demo: {documents} documents, three agents, real servers on this machine.\n{who}\n"
        "Some documents are edited or deleted on the way, the worker is killed once, none may get lost.\n\n"
    )
