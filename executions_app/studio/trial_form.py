"""What is tried on what: the form of the page."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from agents_app.checking import check_agent
from agents_app.models import Agent
from agents_app.policy_use import resolve
from agents_app.spec import AgentSpec
from agents_app.yaml_field import YamlField
from enrichment.extended_json import DocumentInvalid, read_document
from executions_app.studio.documents import Document, NoDocument, by_id, looking, newest

NEWEST: Final = "newest"
BY_ID: Final = "id"
PASTED: Final = "pasted"


class TrialForm(forms.Form):
    """An agent's text, published or not, and a document. Valid once both are there: `spec` and `document`."""

    specification = YamlField("admin:agents_app_agent_check", rows=30, help_text="")
    seen_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    source = forms.ChoiceField(
        label="Document",
        choices=(
            (NEWEST, "the newest that matches the agent's filter"),
            (BY_ID, "the one with this _id"),
            (PASTED, "the one pasted here"),
        ),
        widget=forms.RadioSelect,
        initial=NEWEST,
        required=False,
    )
    document_id = forms.CharField(
        label="_id", required=False, widget=forms.TextInput(attrs={"size": 40, "aria-label": "_id"})
    )
    pasted = forms.CharField(
        label="JSON",
        required=False,
        widget=forms.Textarea(
            attrs={
                "rows": 6,
                "class": "vLargeTextField mc-yaml",
                "aria-label": "Document",
                "spellcheck": "false",
            }
        ),
        help_text="Extended JSON is understood.",
    )

    spec: AgentSpec
    document: Document

    def clean_specification(self) -> str:
        """Check the text as publishing would."""
        text: str = self.cleaned_data["specification"]
        checked = check_agent(text)
        if checked.parsed is None:
            raise forms.ValidationError([str(problem) for problem in checked.problems])
        self.spec = resolve(checked.parsed.spec).spec
        return text

    def clean(self) -> dict[str, Any]:
        """Find the document."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            self.document = self._found(cleaned)
        except NoDocument as error:
            self.add_error("document_id" if cleaned.get("source") == BY_ID else "source", str(error))
        except DocumentInvalid as error:
            self.add_error("pasted", str(error))
        return cleaned

    @property
    def agent(self) -> Agent | None:
        """The agent on record that the text would change, if there is one."""
        return Agent.objects.filter(pk=self.spec.id, archived_at=None).first()

    def _found(self, cleaned: dict[str, Any]) -> Document:
        source = cleaned.get("source") or NEWEST
        if source == PASTED:
            return read_document(cleaned.get("pasted") or "")
        with looking() as client:
            if source == NEWEST:
                return newest(client, self.spec)
            return by_id(client, self.spec, cleaned.get("document_id") or "")
