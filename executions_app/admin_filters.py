"""The filters of the list of executions; none of them reads the whole table to know its choices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agents_app.models import Agent
from agents_app.sight import visible_agents
from agents_app.spec import Operation
from executions_app import queries
from executions_app.listing import Wanted
from executions_app.states import Status


class _FieldFilter(ABC, admin.SimpleListFilter):
    """Filters by equality with one column; `chosen` says what all of them are set to."""

    @abstractmethod
    def choices_known(self, user: object) -> Iterable[str]:
        """The values that this user may choose from."""

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:  # noqa: ARG002
        """Offer the known values, and the one in use even if it is not known any more."""
        known = list(self.choices_known(request.user))
        used = self.value()
        if used and used not in known:
            known.append(used)
        return [(value, value) for value in known]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep all: the list has been narrowed by everything that is chosen together (`executions_app.listing`)."""
        return queryset


class StatusFilter(_FieldFilter):
    """By status."""

    title = "status"
    parameter_name = "status"

    def choices_known(self, user: object) -> Iterable[str]:  # noqa: ARG002
        """All statuses."""
        return [str(status) for status in Status]


class AgentFilter(_FieldFilter):
    """By agent, deleted ones included."""

    title = "agent"
    parameter_name = "agent"

    def choices_known(self, user: object) -> Iterable[str]:
        """All agents in sight, by id."""
        only = visible_agents(user)
        known = Agent.objects.order_by("id").values_list("id", flat=True)
        return known if only is None else known.filter(id__in=only)


class OfAgent(AgentFilter):
    """By agent, in lists that nothing else narrows together with it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Keep the chosen agent's."""
        return queryset.filter(agent_id=self.value()) if self.value() else queryset


class ReasonFilter(_FieldFilter):
    """By reason."""

    title = "reason"
    parameter_name = "reason"

    def choices_known(self, user: object) -> Iterable[str]:
        """The reasons of the newest rows in sight."""
        return queries.recent_reasons(only=visible_agents(user))


class OperationFilter(_FieldFilter):
    """By what happened to the document."""

    title = "operation"
    parameter_name = "operation"

    def choices_known(self, user: object) -> Iterable[str]:  # noqa: ARG002
        """All changes of a document, and what lets one run without a change."""
        return [*map(str, Operation), "backfill", "trigger"]


def chosen(request: HttpRequest) -> Wanted:
    """What the filters of the list are set to."""
    values = request.GET
    return Wanted(
        agent_id=values.get(AgentFilter.parameter_name),
        status=values.get(StatusFilter.parameter_name),
        reason=values.get(ReasonFilter.parameter_name),
        operation=values.get(OperationFilter.parameter_name),
    )
