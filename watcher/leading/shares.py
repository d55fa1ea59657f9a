"""Who reads what: a fair share of the units for each living watcher, moved as little as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """What a watcher should do next: units to try to get, the best first, and units to let go."""

    take: tuple[str, ...] = ()
    give_up: tuple[str, ...] = ()


def share_of(
    me: str, *, units: Sequence[str], holders: Mapping[str, str | None], members: Collection[str]
) -> Share:
    """Decide from what everybody can see: the units, who holds each (None: free), who lives.

    Everybody may hold units / members, rounded up. Who holds more lets the last ones go. While somebody has less than
    the same rounded down, only such watchers take what is free, and if nothing is, one of those that hold most lets
    one go. Then all units are held, no two watchers are more than one apart, and nothing moves any more.
    """
    everybody = {*members, me}
    fewest, rest = divmod(len(units), len(everybody))
    most = fewest + bool(rest)
    count = Counter(dict.fromkeys(everybody, 0))
    count.update(
        holder for unit in units if (holder := holders.get(unit)) in everybody and holder is not None
    )
    mine = sorted(unit for unit in units if holders.get(unit) == me)
    free = sorted(unit for unit in units if holders.get(unit) is None)
    if len(mine) > most:
        return Share(give_up=tuple(mine[most:]))
    somebody_starves = any(held < fewest for held in count.values())
    room = (fewest if somebody_starves else most) - len(mine)
    if room > 0:
        return Share(take=tuple(free[:room]))
    richest = max(everybody, key=lambda member: (count[member], member))
    if somebody_starves and not free and me == richest and len(mine) > fewest:
        return Share(give_up=(mine[-1],))
    return Share()
