"""What is done with an answer, depending on the document and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agents_app.spec.names import WriteField
from agents_app.spec.section import Filled, Finding, Section


class PolicyAction(StrEnum):
    """What is done when the condition holds."""

    ENRICH = "enrich"  # write
    BLOCK = "block"  # do not write
    TAG = "tag"  # mark the answer, then write


class FallbackAction(StrEnum):
    """What is done when the condition does not hold."""

    SKIP = "skip"  # do not write
    ENRICH = "enrich"  # write


class PolicySpec(Section):
    """A condition over `document` and `result`, and what follows from it. A null condition always holds."""

    condition: Annotated[Filled, Field(max_length=4096)] | None = None
    action: PolicyAction = PolicyAction.ENRICH
    fallback_action: FallbackAction = FallbackAction.SKIP
    simulation_mode: bool = False
    tag_field: Annotated[WriteField, Field(max_length=128)] = "policy_tag"
    tag_value: Annotated[str, Field(max_length=1024)] = "matched"

    def warnings(self) -> Iterator[Finding]:
        """Yield a remark on a policy under which nothing is ever written."""
        if self.condition is None and self.action is PolicyAction.BLOCK:
            yield Finding(
                "action", "without a condition every answer is blocked: each is paid for, none is written"
            )
