"""The form by which people sign in, with its limit."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from mongoclaw_project.access.sign_in import seconds_to_wait, told


class SignInForm(AuthenticationForm):
    """Says when it is too early to try again."""

    def clean(self) -> dict[str, Any]:
        """Check the password, unless there were too many failures."""
        username = str(self.cleaned_data.get("username") or "")
        seconds = 0.0 if self.request is None else seconds_to_wait(self.request, username)
        if seconds:
            raise forms.ValidationError(told(seconds), code="throttled")
        return dict(super().clean())
