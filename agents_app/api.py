"""The addresses of the HTTP API of agents."""

from __future__ import annotations

from django.urls import path

from agents_app import api_policies, api_policy_versions
from agents_app.api_agents import AgentDetail, Agents, Switch, SwitchOff
from agents_app.api_validate import Validate, ValidateBody
from agents_app.api_versions import Difference, Rollback, VersionDetail, Versions

urlpatterns = [
    path("agents", Agents.as_view()),
    path("agents/validate", ValidateBody.as_view()),
    path("agents/<str:agent_id>", AgentDetail.as_view()),
    path("agents/<str:agent_id>/enable", Switch.as_view()),
    path("agents/<str:agent_id>/disable", SwitchOff.as_view()),
    path("agents/<str:agent_id>/validate", Validate.as_view()),
    path("agents/<str:agent_id>/versions", Versions.as_view()),
    path("agents/<str:agent_id>/versions/<int:number>", VersionDetail.as_view()),
    path("agents/<str:agent_id>/diff", Difference.as_view()),
    path("agents/<str:agent_id>/rollback", Rollback.as_view()),
    path("policies", api_policies.Policies.as_view()),
    path("policies/<str:name>", api_policies.PolicyDetail.as_view()),
    path("policies/<str:name>/versions", api_policy_versions.Versions.as_view()),
    path("policies/<str:name>/versions/<int:number>", api_policy_versions.VersionDetail.as_view()),
    path("policies/<str:name>/diff", api_policy_versions.Difference.as_view()),
    path("policies/<str:name>/rollback", api_policy_versions.Rollback.as_view()),
]
