"""What people fill in for a new API key."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms

from agents_app.models import Agent
from mongoclaw_project.access.levels import Scope
from mongoclaw_project.access.models import ApiKey

FOR_EVER: Final = 0
LIFETIMES: Final = ((30, "30 days"), (90, "90 days"), (365, "a year"), (FOR_EVER, "no end"))
MEANINGS: Final = {
    Scope.READ: "read: look at agents, runs, figures",
    Scope.OPERATE: "operate: enable, disable, trigger; requeue and discard; backfills and gaps",
    Scope.WRITE: "write: create, change and delete agents",
    Scope.ADMIN: "admin: users, groups and keys",
}


class ApiKeyForm(forms.ModelForm[ApiKey]):
    """A key as it is wished for; it is made by `keys.mint`."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, MEANINGS[scope]) for scope in Scope],
        initial=[Scope.READ.value],
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do of what its user may.",
    )
    agents = forms.ModelMultipleChoiceField(
        Agent.objects.filter(archived_at=None).order_by("id"),
        required=False,
        help_text="Bind it to these agents. None selected: to no agent in particular, it sees all.",
    )
    lifetime = forms.TypedChoiceField(
        choices=LIFETIMES, coerce=int, initial=90, help_text="It ends after this time."
    )

    class Meta:
        """The fields that people fill in; managers choose the user too."""

        model = ApiKey
        fields: ClassVar = ["user", "name", "scopes", "agents", "lifetime"]

    def clean_agents(self) -> list[str] | None:
        """Give the ids; none selected stands for all."""
        chosen: Any = self.cleaned_data["agents"]
        return [agent.pk for agent in chosen] or None
