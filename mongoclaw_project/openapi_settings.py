"""What the OpenAPI document says of the API as a whole; drf-spectacular's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mongoclaw_project import __version__

SETTINGS: Final[Mapping[str, Any]] = {
    "TITLE": "MongoClaw",
    "VERSION": __version__,
    "DESCRIPTION": (
        "Keeps MongoDB documents enriched by language models. Compatible with the clients of MongoClaw 1.0.4 "
        "(PyPI and npm `mongoclaw`). Times are UTC without an offset."
    ),
    "LICENSE": {"name": "Apache-2.0"},
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": ["mongoclaw_project.api_schema.answers_of_all"],
}
