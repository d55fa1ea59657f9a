"""A field in which people write YAML: an editor where scripts run, a plain text area where not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse


class YamlEditor(forms.Textarea):
    """Colours YAML, and shows beside each line what the address `check` of the admin says is wrong with it."""

    def __init__(self, check: str, *, rows: int) -> None:
        super().__init__(
            attrs={"class": "vLargeTextField mc-yaml", "rows": rows, "spellcheck": "false", "wrap": "off"}
        )
        self._check = check

    class Media:
        """One bundled script and our own; no inline ones, so that a strict CSP holds."""

        css = {"all": ("agents_app/codemirror/codemirror.css", "agents_app/editor.css")}  # noqa: RUF012
        js = ("agents_app/codemirror/codemirror.js", "agents_app/editor.js")

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> dict[str, Any]:
        """Say where a text is checked."""
        return {**super().build_attrs(base_attrs, extra_attrs), "data-check": reverse(self._check)}


class YamlField(forms.CharField):
    """A YAML text, kept as it was typed."""

    def __init__(self, check: str, *, rows: int, help_text: str) -> None:
        super().__init__(widget=YamlEditor(check, rows=rows), help_text=help_text, strip=False)
