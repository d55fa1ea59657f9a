"""The demo: 200 documents, three agents, edits and deletes, one killed worker, and an exact check."""

from __future__ import annotations
