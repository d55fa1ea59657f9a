"""The HTTP API of the catalog (peer contract §7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.urls import path
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.agent_wire import summary_json
from agents_app.api_docs import Shape, operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import text, whole, wrong_query
from agents_app.sight import visible_agents
from enrichment.plain import to_plain
from executions_app import catalog
from executions_app.catalog import CollectionNotFound, FieldFacts, Namespace, Profile, Watching
from executions_app.mongodb import mongodb
from mongoclaw_project.config import current

TAG: Final = "catalog"
SAMPLE: Final = 40
MOST_SAMPLED: Final = 200
METADATA: Final = "_ai_metadata"
"""The contract counts this field; agents may name another one."""


class DatabaseEntry(Shape):
    """A database and its collections."""

    database: str
    collections: list[str]


class WatchedCollection(Shape):
    """A collection and the agents that watch it."""

    database: str
    collection: str
    agent_ids: list[str]
    agent_count: int


class Overview(Shape):
    """What there is and what is watched of it."""

    databases: list[DatabaseEntry]
    watched_collections: list[WatchedCollection]


class ProfileStats(Shape):
    """Documents in all, and those that agents have marked; `estimated` from a sample where there are many."""

    total_docs: int
    enriched_docs: int
    ai_triage_docs: int
    enrichment_pct: float
    estimated: bool


class AppliedAgent(Shape):
    """An agent that watches the collection."""

    id: str
    name: str
    enabled: bool
    operations: list[str]
    model: str
    provider: str
    consistency_mode: str


class SchemaEntry(Shape):
    """A field of the documents looked at, three levels deep at most."""

    path: str
    seen_in_samples: int
    types: list[str]
    example: Any


class CollectionProfile(Shape):
    """What a collection holds."""

    database: str
    collection: str
    stats: ProfileStats
    applied_agents: list[AppliedAgent]
    fields: list[SchemaEntry] = Field(serialization_alias="schema")
    recent_documents: list[dict[str, Any]]
    sample_size: int


class CatalogOverview(APIView):
    """All collections."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "agents_app.view_agent"}

    @operation("get_catalog_overview", tag=TAG, answers={200: Overview})
    def get(self, request: Request) -> Response:
        """Name the collections that the caller's agents watch; a superuser sees all but MongoDB's own."""
        watched = catalog.watching(visible_agents(request.user))
        return Response(
            {
                "databases": [
                    {"database": name, "collections": collections}
                    for name, collections in _databases(request, watched).items()
                ],
                "watched_collections": [
                    {
                        "database": database,
                        "collection": name,
                        "agent_ids": [one.agent.id for one in watching],
                        "agent_count": len(watching),
                    }
                    for (database, name), watching in sorted(watched.items())
                ],
            }
        )


class Collected(APIView):
    """One collection."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation(
        "get_collection_profile",
        tag=TAG,
        answers={200: CollectionProfile},
        failures=[HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY],
        query=[
            parameter("database", "Its database.", required=True),
            parameter("collection", "Its name.", required=True),
            parameter("sample_size", "Documents looked at for their fields: 1 to 200, by default 40.", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """Look at a collection: its fields with an example of each, and how much of it is enriched."""
        query = request.query_params
        namespace = (_named(query, "database"), _named(query, "collection"))
        sample_size = min(MOST_SAMPLED, max(1, whole(query, "sample_size", SAMPLE)))
        watched = catalog.watching(visible_agents(request.user))
        if namespace not in watched and not _exists(request, watched, namespace):
            raise CollectionNotFound(f"Collection '{'.'.join(namespace)}' not found")
        watching = watched.get(namespace, [])
        marks = {METADATA, *(one.spec.write.metadata_field.partition(".")[0] for one in watching)}
        found = catalog.profile(mongodb(), namespace, marks=marks, sample_size=sample_size)
        return Response(_profile_json(namespace, found, watching, sample_size))


urlpatterns = [
    path("catalog/overview", CatalogOverview.as_view()),
    path("catalog/collection-profile", Collected.as_view()),
]


def _databases(request: Request, watched: Collection[Namespace]) -> dict[str, list[str]]:
    if visible_agents(request.user) is None and getattr(request.user, "is_superuser", False):
        return catalog.everything(mongodb(), hidden={current().mongodb.database})
    found: dict[str, list[str]] = {}
    for database, name in sorted(watched):
        found.setdefault(database, []).append(name)
    return found


def _exists(request: Request, watched: Collection[Namespace], namespace: Namespace) -> bool:
    database, name = namespace
    return name in _databases(request, watched).get(database, ())


def _named(query: Mapping[str, str], name: str) -> str:
    found = text(query, name)
    if not found:
        raise wrong_query(name, "is required")
    return found


def _profile_json(
    namespace: Namespace, found: Profile, watching: list[Watching], sample_size: int
) -> dict[str, Any]:
    share = found.enriched / found.total if found.total else 0.0
    return {
        "database": namespace[0],
        "collection": namespace[1],
        "stats": {
            "total_docs": found.total,
            "enriched_docs": found.enriched,
            "ai_triage_docs": found.triaged,
            "enrichment_pct": round(100 * share, 2),
            "estimated": found.estimated,
        },
        "applied_agents": [_agent_json(one) for one in watching],
        "schema": [_field_json(path, facts) for path, facts in found.fields.items()],
        "recent_documents": [to_plain(document) for document in found.recent],
        "sample_size": sample_size,
    }


def _agent_json(one: Watching) -> dict[str, Any]:
    told = summary_json(one.agent)
    names = ("id", "name", "enabled", "operations", "model", "provider")
    return {
        **{name: told[name] for name in names},
        "consistency_mode": one.spec.execution.consistency_mode.value,
    }


def _field_json(path: str, facts: FieldFacts) -> dict[str, Any]:
    return {
        "path": path,
        "seen_in_samples": facts.seen,
        "types": sorted(facts.types),
        "example": facts.example,
    }
