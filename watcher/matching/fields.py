"""Whether an update touched one of the fields that an agent cares about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watcher.reading.event import ChangeEvent


def concerns(event: ChangeEvent, fields: Sequence[str] | None) -> bool:
    """Tell whether the event counts where only changes of these dotted fields are watched; None watches all.

    Only updates have changed fields: everything else counts, and so does an update whose changed fields are not
    known.
    """
    if fields is None or event.operation != "update" or event.changed is None:
        return True
    watched = [field.split(".") for field in fields]
    return _overlap(watched, (name.split(".") for name in event.changed))


def _overlap(watched: Sequence[Sequence[str]], changed: Iterable[Sequence[str]]) -> bool:
    return any(_same_branch(field, name) for name in changed for field in watched)


def _same_branch(field: Sequence[str], changed: Sequence[str]) -> bool:
    """Tell whether one of the two paths is at or below the other.

    An index that the field does not name stands for any element: `items.0.price` is a change of `items.price`, as
    a filter on `items.price` looks into all items. A field that names an index means that one.
    """
    position = 0
    for part in changed:
        if position == len(field):
            return True
        if part == field[position]:
            position += 1
        elif position == 0 or not _is_index(part) or _is_index(field[position]):
            return False
    return True


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal()
