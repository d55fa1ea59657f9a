"""Units are shared fairly, all of them, and then nothing moves any more."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.leading.shares import Share, share_of

Holders = dict[str, str | None]

UNITS = [f"unit-{number}" for number in range(10)]
WATCHERS = [f"watcher-{number}" for number in range(5)]

units = st.lists(st.sampled_from(UNITS), unique=True)
watchers = st.lists(st.sampled_from(WATCHERS), unique=True, min_size=1)


def obey(holders: Holders, me: str, share: Share) -> None:
    """Do what the watcher decided; a unit that is not free cannot be taken."""
    for unit in share.give_up:
        assert holders[unit] == me
        holders[unit] = None
    for unit in share.take:
        assert holders[unit] is None
        holders[unit] = me


def settle(holders: Holders, living: list[str], turns: list[str]) -> None:
    """Let watchers decide in these turns, and then each a dozen times."""
    for me in [turn for turn in turns if turn in living] + living * 12:
        obey(holders, me, share_of(me, units=list(holders), holders=holders, members=living))


@given(units, watchers, watchers, st.data())
def test_every_unit_is_held_and_nobody_has_two_more_than_another_whoever_came_and_went(
    names: list[str], before: list[str], after: list[str], data: st.DataObject
) -> None:
    holders: Holders = dict.fromkeys(names)
    settle(holders, before, data.draw(st.lists(st.sampled_from(before), max_size=20)))
    for unit, holder in holders.items():
        if holder not in after:
            holders[unit] = None  # the leases of the dead run out

    settle(holders, after, data.draw(st.lists(st.sampled_from(after), max_size=20)))

    held = Counter(holders.values())
    counts = [held[watcher] for watcher in after]
    assert sum(counts) == len(names)
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("number", range(10))
def test_however_many_units_and_whoever_joins_or_leaves_shares_become_even(number: int) -> None:
    some = [list(living) for size in (1, 2, 3, 4) for living in combinations(WATCHERS[:4], size)]
    for before, after in product(some, some):
        holders: Holders = dict.fromkeys(UNITS[:number])
        settle(holders, before, [])
        holders = {unit: holder if holder in after else None for unit, holder in holders.items()}

        settle(holders, after, [])

        counts = [list(holders.values()).count(watcher) for watcher in after]
        assert sum(counts) == number
        assert max(counts) - min(counts) <= 1


@given(units, watchers, st.data())
def test_once_shared_nothing_moves(names: list[str], living: list[str], data: st.DataObject) -> None:
    holders: Holders = {unit: data.draw(st.sampled_from([None, *living])) for unit in names}
    settle(holders, living, [])

    for me in living:
        assert share_of(me, units=names, holders=holders, members=living) == Share()


@given(units, watchers, st.data())
def test_nobody_takes_more_than_a_fair_share_or_what_is_not_free(
    names: list[str], living: list[str], data: st.DataObject
) -> None:
    holders: Holders = {unit: data.draw(st.sampled_from([None, "another", *living])) for unit in names}
    me = living[0]

    share = share_of(me, units=names, holders=holders, members=living)

    most = -(-len(names) // len(living))
    mine = sum(holder == me for holder in holders.values())
    assert not share.take or mine + len(share.take) <= most
    assert all(holders[unit] is None for unit in share.take)
    assert mine - len(share.give_up) >= len(names) // len(living) or not share.give_up


def test_a_dead_watchers_units_are_taken_by_the_one_that_is_left() -> None:
    holders: Holders = {"a": None, "b": "me", "c": None}

    assert share_of("me", units=["a", "b", "c"], holders=holders, members=["me"]).take == ("a", "c")


def test_a_newcomer_gets_a_share_from_the_one_that_has_all() -> None:
    holders: Holders = dict.fromkeys(["a", "b", "c"], "first")
    both = ["first", "second"]

    assert share_of("first", units=["a", "b", "c"], holders=holders, members=both).give_up == ("c",)
    assert share_of("second", units=["a", "b", "c"], holders=holders, members=both) == Share()


def test_who_lets_a_unit_go_for_one_that_has_none_does_not_take_it_back() -> None:
    names = ["a", "b", "c", "d"]
    holders: Holders = {"a": "first", "b": "first", "c": "second", "d": "second"}
    living = ["first", "second", "third"]
    assert share_of("first", units=names, holders=holders, members=living) == Share()
    assert share_of("second", units=names, holders=holders, members=living) == Share(give_up=("d",))

    holders["d"] = None

    assert share_of("first", units=names, holders=holders, members=living) == Share()
    assert share_of("second", units=names, holders=holders, members=living) == Share()
    assert share_of("third", units=names, holders=holders, members=living) == Share(take=("d",))
