"""The form in which people write an agent as YAML."""

from __future__ import annotations

import hashlib
from typing import Any

from django import forms

from agents_app.checking import check_agent
from agents_app.errors import SpecInvalid
from agents_app.models import Agent
from agents_app.policy_use import resolve
from agents_app.spec import AgentSpec, ParsedSpec, content_hash, dump_filled_yaml
from agents_app.version_text import text_of
from agents_app.yaml_field import YamlField

NEW_AGENT = """\
id: my-agent
name: My agent
description: What it is for.

watch:
  database: my_database
  collection: my_collection
  operations: [insert, update]
  filter: null

ai:
  provider: openai
  model: gpt-4o-mini
  temperature: 0
  prompt: |
    Summarise this text in one sentence:

    {{ document.text }}
  response_schema:
    type: object
    properties:
      summary: {type: string, maxLength: 300}
    required: [summary]
    additionalProperties: false

write:
  strategy: merge
  target_field: ai
"""


class AgentForm(forms.ModelForm[Agent]):
    """An agent's YAML. Valid only if it could be published; `parsed` then holds what it says.

    `seen_revision` is the revision that the text was based on, so that nobody undoes another's change unseen.
    `reviewed` names the change that was looked at, so that nothing else is published by confirming it.
    """

    specification = YamlField(
        "admin:agents_app_agent_check",
        rows=45,
        help_text="YAML or JSON. Publishing makes a new version; enable and disable agents in the list.",
    )
    seen_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    reviewed = forms.CharField(widget=forms.HiddenInput, required=False)

    parsed: ParsedSpec
    resolved: AgentSpec

    class Meta:
        """Every value of the agent comes from the text."""

        model = Agent
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "specification" not in self.fields:
            return
        version_id = self.instance.current_version_id
        text = NEW_AGENT if version_id is None else text_of(version_id)
        self.initial.setdefault("specification", text)
        self.initial["seen_revision"] = self.instance.revision or None

    def clean_specification(self) -> str:
        """Check all that publishing would check, and name each problem by its path and line."""
        text: str = self.cleaned_data["specification"]
        checked = check_agent(text)
        if checked.parsed is None:
            raise forms.ValidationError([str(problem) for problem in checked.problems])
        self._check_id(checked.parsed.spec.id)
        self.parsed = checked.parsed
        return text

    def clean(self) -> dict[str, Any]:
        """Refuse a text that is based on an earlier state of the agent."""
        cleaned = super().clean() or self.cleaned_data
        if "specification" in cleaned:
            # The policy's lock first, as everybody who publishes takes them.
            self.resolved = self._resolve()
        # The locks are held until the request's transaction ends, so what is true here is true when saving.
        current = Agent.objects.select_for_update().filter(pk=self.instance.pk or None).first()
        if current is not None and cleaned.get("seen_revision") not in (None, current.revision):
            raise forms.ValidationError(
                "Someone else changed this agent in the meantime. Keep your text, reload the page and look "
                "at the new version first."
            )
        return cleaned

    @property
    def change(self) -> tuple[str, str]:
        """The agent's text as it is and as it would be, with shared policies written out."""
        return text_of(self.instance.current_version_id or 0, filled=True), dump_filled_yaml(self.resolved)

    @property
    def change_name(self) -> str:
        """Names exactly this change: what would be published, over which version."""
        told = f"{content_hash(self.resolved)} over {self.instance.current_version_id}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def must_be_reviewed(self) -> bool:
        """Whether it changes what the agent does and nobody has looked at the change."""
        before, after = self.change
        return before != after and self.cleaned_data.get("reviewed") != self.change_name

    def _resolve(self) -> AgentSpec:
        try:
            return resolve(self.parsed.spec, lock=True).spec
        except SpecInvalid as error:
            raise forms.ValidationError([str(problem) for problem in error.errors]) from error

    def _check_id(self, agent_id: str) -> None:
        if self.instance.pk and agent_id != self.instance.pk:
            raise forms.ValidationError(
                f"id: must stay '{self.instance.pk}'; add a new agent to use another id"
            )
        if not self.instance.pk and Agent.objects.filter(pk=agent_id, archived_at=None).exists():
            raise forms.ValidationError(f"id: Agent '{agent_id}' exists already")
