"""The JSON form of agents and their versions (peer contract §3)."""

from __future__ import annotations

from typing import Any

from agents_app import registry
from agents_app.models import Agent, AgentVersion, PolicyVersion
from agents_app.spec import AgentSpec, declared, dump_json


def config_json(agent: Agent) -> dict[str, Any]:
    """Return the whole configuration, all defaults present.

    Raises VersionUnreadable for a version that another release of MongoClaw has written.
    """
    managed = {"created_at": agent.created_at, "updated_at": agent.updated_at}
    return {**dump_json(registry.config_of(agent)), **managed}


def summary_json(agent: Agent) -> dict[str, Any]:
    """Return an agent as lists have it; what an unreadable version says is empty."""
    return {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description or None,
        "enabled": agent.enabled,
        **_said(registry.readable(agent.current_version_id)),
        "tags": agent.tags,
        "version": agent.revision,
        "health": agent.health,
        "health_reason": agent.health_reason or None,
        "created_at": agent.created_at,
        "updated_at": agent.updated_at,
    }


def version_json(version: AgentVersion | PolicyVersion, *, current_id: int | None) -> dict[str, Any]:
    """Return a version of an agent, or of a policy, without what it says."""
    return {
        "number": version.number,
        "content_hash": version.content_hash,
        "published_by": version.published_by,
        "created_at": version.created_at,
        "is_current": version.pk == current_id,
    }


def version_config_json(version: AgentVersion, *, current_id: int | None) -> dict[str, Any]:
    """Return a version with what it says. Raises VersionUnreadable."""
    said = declared(registry.spec_of(version.pk))
    return {**version_json(version, current_id=current_id), "config": said}


def _said(spec: AgentSpec | None) -> dict[str, Any]:
    return {
        "database": spec.watch.database if spec else "",
        "collection": spec.watch.collection if spec else "",
        "operations": [operation.value for operation in spec.watch.operations] if spec else [],
        "provider": spec.ai.provider if spec else "",
        "model": spec.ai.model if spec else "",
    }
