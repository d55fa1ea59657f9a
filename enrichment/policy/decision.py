"""Decides, once the answer is there, whether and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec import PolicyContent
from agents_app.spec.action import Action
from enrichment.plain import ValueTooLarge
from enrichment.policy.comparison import ConditionError
from enrichment.policy.condition import Condition, ConditionInvalid, compile_condition

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH: Final = "policy.condition"
_UNDECIDABLE: Final = (
    ConditionError,
    ValueTooLarge,
    ArithmeticError,
    TypeError,
    ValueError,
    RecursionError,
)
_LONGEST_ERROR: Final = 300


class PolicyInvalid(SpecInvalid):
    """The policy's condition cannot be used. `column` counts from 1."""

    code = "policy_invalid"

    def __init__(self, message: str, *, column: int | None = None) -> None:
        self.path = PATH
        self.column = column
        super().__init__(errors=[SpecProblem(PATH, message)])


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """What happens to an answer.

    `reason` says why nothing is written: policy_skip, policy_block or policy_simulation_<action>. `result` is
    the answer, with the tag where one is applied. `error` says why the condition could not be decided; then
    it counts as not met.
    """

    matched: bool
    action: str
    write: bool
    result: dict[str, Any]
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """An agent's policy, checked; immutable and safe to share between threads."""

    policy: PolicyContent
    _condition: Condition | None = field(default=None, repr=False)

    @property
    def reads_document(self) -> bool:
        """Whether the condition looks at the document, beside the answer."""
        return self._condition is not None and self._condition.reads_document

    def decide(self, document: Mapping[str, Any], result: Mapping[str, Any]) -> PolicyDecision:
        """Return what happens to the answer. No document and no answer makes it raise."""
        matched, error = self._matches(document, result)
        action = self.policy.action if matched else self.policy.fallback_action
        decided = dict(result)
        if action.tags:
            decided[self.policy.tag_field] = self.policy.tag_value
        reason = self._reason(action)
        return PolicyDecision(matched, action.value, reason is None, decided, reason, error)

    def _reason(self, action: Action) -> str | None:
        if self.policy.simulation_mode:
            return f"policy_simulation_{action.value}"
        return None if action.writes else f"policy_{action.value}"

    def _matches(self, document: Mapping[str, Any], result: Mapping[str, Any]) -> tuple[bool, str | None]:
        if self._condition is None:
            return True, None
        try:
            return self._condition.holds(document, result), None
        except _UNDECIDABLE as error:
            return False, f"{PATH}: {error}"[:_LONGEST_ERROR]


def compile_policy(policy: PolicyContent | None) -> CompiledPolicy:
    """Return the policy, checked; without one every answer is written. Raises PolicyInvalid."""
    if policy is None or policy.condition is None:
        return CompiledPolicy(policy or PolicyContent())
    try:
        return CompiledPolicy(policy, compile_condition(policy.condition))
    except ConditionInvalid as error:
        raise PolicyInvalid(str(error), column=error.column) from error
