"""Pages of a table that is too long to be counted."""

from __future__ import annotations

from typing import Any, Final, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST: Final = 5_000
"""Rows that can be paged to; whoever wants an older one filters or searches."""


class NearPaginator(Paginator[Any]):
    """Knows of the first 5,000 rows at most, so that a page costs the same however long the table is."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, counting no further than can be paged to."""
        # In no order: to keep one, SQLite would walk the whole ledger for the few rows of a filter.
        return cast(QuerySet[Any], self.object_list).order_by()[:MOST].count()
