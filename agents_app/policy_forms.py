"""The form in which people write a shared policy as YAML."""

from __future__ import annotations

import hashlib
from typing import Any

from django import forms

from agents_app.checking import check_policy
from agents_app.models import Policy
from agents_app.policy_use import content_of
from agents_app.spec import ParsedPolicy, policy_hash, write_policy
from agents_app.yaml_field import YamlField

NEW_POLICY = """\
name: my-policy
description: What it keeps out, or lets in.
# document and result can be compared; see the reference of agents.
condition: result.confidence >= 0.8
action: enrich            # or block, or tag
fallback_action: skip     # or enrich
"""


class PolicyForm(forms.ModelForm[Policy]):
    """A policy's YAML. Valid only if it could be published; `parsed` then holds what it says.

    `seen_revision` and `reviewed` are as in the form of agents.
    """

    specification = YamlField(
        "admin:agents_app_policy_check",
        rows=14,
        help_text="YAML or JSON. Publishing makes a new version, and one of each agent that uses the policy.",
    )
    seen_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    reviewed = forms.CharField(widget=forms.HiddenInput, required=False)

    parsed: ParsedPolicy

    class Meta:
        """Every value of the policy comes from the text."""

        model = Policy
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "specification" in self.fields:
            self.initial.setdefault("specification", self.text or NEW_POLICY)
            self.initial["seen_revision"] = self.instance.revision or None

    @property
    def text(self) -> str:
        """The policy as it is; empty while there is none."""
        version = self.instance.current_version
        if version is None:
            return ""
        return write_policy(self.instance.name, self.instance.description, content_of(version))

    def clean_specification(self) -> str:
        """Check all that publishing would check, and name each problem by its path and line."""
        text: str = self.cleaned_data["specification"]
        checked = check_policy(text)
        if checked.parsed is None:
            raise forms.ValidationError([str(problem) for problem in checked.problems])
        self._check_name(checked.parsed.spec.name)
        self.parsed = checked.parsed
        return text

    def clean(self) -> dict[str, Any]:
        """Refuse a text that is based on an earlier state of the policy."""
        cleaned = super().clean() or self.cleaned_data
        # The lock is held until the request's transaction ends, so what is true here is true when saving.
        current = Policy.objects.select_for_update().filter(pk=self.instance.pk or None).first()
        if current is not None and cleaned.get("seen_revision") not in (None, current.revision):
            raise forms.ValidationError(
                "Someone else changed this policy in the meantime. Keep your text, reload the page and look "
                "at the new version first."
            )
        return cleaned

    @property
    def change(self) -> tuple[str, str]:
        """The policy's text as it is and as it would be."""
        spec = self.parsed.spec
        return self.text, write_policy(spec.name, spec.description or "", spec.content)

    def change_name(self, users: list[str]) -> str:
        """Names exactly this change: what would be published, over which version, for which agents."""
        told = [policy_hash(self.parsed.spec.content), str(self.instance.current_version_id), *users]
        return hashlib.sha256(" ".join(told).encode()).hexdigest()

    def _check_name(self, name: str) -> None:
        if self.instance.pk and name != self.instance.pk:
            raise forms.ValidationError(
                f"name: must stay '{self.instance.pk}'; add a new policy to use another name"
            )
        if not self.instance.pk and Policy.objects.filter(pk=name, archived_at=None).exists():
            raise forms.ValidationError(f"name: Policy '{name}' exists already")
