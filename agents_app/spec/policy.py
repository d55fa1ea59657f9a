"""What is done with an answer, depending on the document and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from agents_app.spec.action import FallbackAction, PolicyAction
from agents_app.spec.names import PolicyName, WriteField
from agents_app.spec.section import Filled, Finding, Section


class PolicyContent(Section):
    """A condition over `document` and `result`, and what follows from it. A null condition always holds."""

    condition: Annotated[Filled, Field(max_length=4096)] | None = None
    action: PolicyAction = PolicyAction.ENRICH
    fallback_action: FallbackAction = FallbackAction.SKIP
    simulation_mode: bool = False
    tag_field: Annotated[WriteField, Field(max_length=128)] = "policy_tag"
    tag_value: Annotated[str, Field(max_length=1024)] = "matched"

    def warnings(self) -> Iterator[Finding]:
        """Yield a remark on a policy under which nothing is ever written."""
        if self.condition is None and not self.action.writes:
            yield Finding(
                "action", "without a condition every answer is blocked: each is paid for, none is written"
            )


class PolicySpec(PolicyContent):
    """An agent's policy: written out in the agent, or `use` names one that several agents share.

    Where `use` is set, the content is filled in from the shared policy's version when the agent is published or read.
    """

    use: PolicyName | None = None

    @property
    def content(self) -> PolicyContent:
        """What is decided by, without where it comes from."""
        return PolicyContent.model_construct(**self._values())

    def filled(self, content: PolicyContent) -> PolicySpec:
        """Return this reference with the content of the policy that it names."""
        values = {name: getattr(content, name) for name in PolicyContent.model_fields}
        # The author has set `use` alone, and a check of the whole must not take the rest for his.
        return PolicySpec.model_construct(_fields_set={"use"}, use=self.use, **values)

    def problems(self) -> Iterator[Finding]:
        """Yield what is said beside `use`: one of the two would not count."""
        if self.use is not None:
            for field in sorted(self.model_fields_set - {"use"}):
                yield Finding(field, f"is said by the policy '{self.use}'; leave out this or policy.use")

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in PolicyContent.model_fields}

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        if self.use is not None:
            return {"use": self.use}
        values.pop("use", None)
        return values
