"""The page that runs a policy, published or not, over past runs."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from agents_app import policies
from agents_app.checking import check_policy
from agents_app.errors import PolicyNotFound
from agents_app.models import Agent, PolicyVersion
from agents_app.policy_use import content_of, users_of
from agents_app.registry import readable
from agents_app.spec import SharedPolicySpec, write_policy
from agents_app.yaml_field import YamlField
from enrichment.policy import compile_policy
from executions_app.studio.documents import NoDocument
from executions_app.studio.preview import MOST, preview

TEMPLATE: Final = "admin/studio/preview.html"
USUAL: Final = 100
NEEDED: Final = ("agents_app.view_policy", "executions_app.view_execution")


class PreviewForm(forms.Form):
    """A policy's text, and whose past runs it is tried on. `policy` holds what the text says."""

    specification = YamlField("admin:agents_app_policy_check", rows=12, help_text="")
    seen_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    agents = forms.ModelMultipleChoiceField(
        Agent.objects.filter(archived_at=None).order_by("id"),
        label="Runs of",
        error_messages={"required": "Choose the agents whose runs it is tried on."},
    )
    limit = forms.IntegerField(label="Newest", min_value=1, max_value=MOST, initial=USUAL)

    policy: SharedPolicySpec

    def clean_specification(self) -> str:
        """Check the text as publishing would."""
        text: str = self.cleaned_data["specification"]
        checked = check_policy(text)
        if checked.parsed is None:
            raise forms.ValidationError([str(problem) for problem in checked.problems])
        self.policy = checked.parsed.spec
        return text


def preview_policy(request: HttpRequest) -> HttpResponse:
    """Serve the page to those who may see policies and runs. Nothing is changed."""
    if not all(request.user.has_perm(name) for name in NEEDED):
        raise PermissionDenied
    form = PreviewForm(request.POST) if "limit" in request.POST else PreviewForm(initial=_start(request))
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Preview a policy", "form": form}
    if form.is_bound and form.is_valid():
        agents = [agent.pk for agent in form.cleaned_data["agents"]]
        try:
            compiled = compile_policy(form.policy)
            context["preview"] = preview(compiled, agents, limit=form.cleaned_data["limit"])
            context["policy"] = form.policy
        except NoDocument as error:
            form.add_error(None, str(error))
    return TemplateResponse(request, TEMPLATE, context)


def _start(request: HttpRequest) -> dict[str, Any]:
    """What the page begins with: a text from an editor, a policy, one of its versions, or an agent's own policy."""
    given = request.POST if request.method == "POST" else request.GET
    name = given.get("policy", "")
    if request.method == "POST":
        text = given.get("specification", "")
        return {"specification": text, "agents": users_of(name), "seen_revision": given.get("seen_revision")}
    if given.get("version", "").isdecimal():
        version = get_object_or_404(PolicyVersion.objects.select_related("policy"), pk=int(given["version"]))
        return _of_version(version)
    if name:
        return _of_policy(name)
    return _of_agent(given.get("agent", ""))


def _of_policy(name: str) -> dict[str, Any]:
    try:
        version = policies.get(name).current_version
    except PolicyNotFound as error:
        raise Http404 from error
    if version is None:
        raise Http404
    return _of_version(version)


def _of_version(version: PolicyVersion) -> dict[str, Any]:
    policy = version.policy
    return {
        "specification": write_policy(policy.name, policy.description, content_of(version)),
        "agents": users_of(policy.name),
        "seen_revision": policy.revision,
    }


def _of_agent(agent_id: str) -> dict[str, Any]:
    agent = get_object_or_404(Agent, pk=agent_id, archived_at=None, current_version__isnull=False)
    spec = readable(agent.current_version_id)
    if spec is None or spec.policy is None:
        raise Http404
    policy = spec.policy
    return {"specification": write_policy(policy.use or agent.pk, "", policy.content), "agents": [agent.pk]}
