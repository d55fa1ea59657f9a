"""Rows that are added and never changed, so that others can point at them for ever."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

from agents_app.errors import VersionImmutable

_Row = TypeVar("_Row", bound=models.Model)


class FixedRows(models.QuerySet[_Row]):
    """Refuses to change many rows at once."""

    def update(self, **_values: Any) -> NoReturn:
        """Raise VersionImmutable."""
        raise VersionImmutable

    def delete(self) -> NoReturn:
        """Raise VersionImmutable."""
        raise VersionImmutable


class FixedRow(models.Model):
    """A row of that kind; its table's manager is made of `FixedRows`."""

    class Meta:
        """Not a table of its own."""

        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; raises VersionImmutable if it is there already."""
        if not self._state.adding:
            raise VersionImmutable
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Raise VersionImmutable."""
        raise VersionImmutable
