"""Who sends how many rows: shares that no backlog takes away, priority that does not starve, weights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from executions_app.fairness import Contender, chosen_rows, guaranteed, level_of, share_out

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MANY = 10_000


def contender(agent: str, *, level: int = 0, weight: int = 1, busy: int = 0, most: int = MANY) -> Contender:
    return Contender(agent, level, weight, busy, most)


def test_a_quiet_agent_is_let_through_however_much_another_has_in_flight() -> None:
    noisy, quiet = contender("noisy", busy=128), contender("quiet", most=20)

    assert share_out([noisy, quiet], slots=64, agents=2, left=0) == {"noisy": 0, "quiet": 20}


def test_what_is_left_goes_to_whoever_has_least_in_flight() -> None:
    given_ = share_out([contender("a", busy=50), contender("b", busy=40)], slots=2, agents=2, left=20)

    assert given_ == {"a": 5, "b": 15}


def test_an_agent_of_twice_the_weight_has_twice_as_much_in_flight() -> None:
    given_ = share_out([contender("light"), contender("heavy", weight=2)], slots=2, agents=2, left=30)

    assert given_ == {"light": 10, "heavy": 20}


def test_the_more_urgent_level_goes_first_and_the_others_keep_their_guaranteed_share() -> None:
    urgent, usual = contender("urgent", level=5), contender("usual", level=0)

    assert share_out([usual, urgent], slots=8, agents=2, left=20) == {"urgent": 16, "usual": 4}


def test_a_backfills_guaranteed_share_is_one_row() -> None:
    live, backfill = contender("live"), contender("backfill", level=-1000)

    assert share_out([live, backfill], slots=64, agents=2, left=0) == {"live": 32, "backfill": 1}


def test_waiting_makes_a_row_more_urgent() -> None:
    assert level_of(0, NOW - timedelta(seconds=29), NOW) == 0
    assert level_of(0, NOW - timedelta(minutes=5), NOW) == 10
    assert level_of(3, NOW + timedelta(minutes=5), NOW) == 3, (
        "a clock that is behind makes nothing less urgent"
    )


def test_among_work_that_is_old_weights_decide_and_not_who_is_older() -> None:
    older = contender("older", level=level_of(0, NOW - timedelta(minutes=11), NOW))
    heavy = contender("heavy", level=level_of(0, NOW - timedelta(minutes=10), NOW), weight=3)

    assert share_out([older, heavy], slots=2, agents=2, left=40) == {"older": 10, "heavy": 30}


def test_what_an_urgent_agent_does_not_need_goes_to_the_others_in_the_same_round() -> None:
    due = {"urgent": 2, "usual": MANY}
    asked: list[tuple[str, int]] = []

    def rows(agent: str, most: int) -> list[str]:
        asked.append((agent, most))
        return [f"{agent}-{number}" for number in range(min(due[agent], most))]

    chosen = chosen_rows(
        [contender("urgent", level=9), contender("usual")], rows, slots=8, agents=2, left=100
    )

    assert {agent: len(ids) for agent, ids in chosen.items()} == {"urgent": 2, "usual": 98}
    assert len(asked) <= 4


contenders = st.lists(
    st.builds(
        Contender,
        agent=st.uuids().map(str),
        level=st.integers(-3, 10),
        weight=st.integers(1, 5),
        busy=st.integers(0, 40),
        most=st.integers(0, 40),
    ),
    max_size=8,
    unique_by=lambda one: one.agent,
)


@given(contenders, st.integers(1, 64), st.integers(-10, 200))
def test_nobody_gets_more_than_there_is_room_for_and_nobody_less_than_its_share(
    found: list[Contender], slots: int, left: int
) -> None:
    given_ = share_out(found, slots=slots, agents=len(found), left=left)

    share = guaranteed(slots, len(found))
    for one in found:
        own = share if one.level >= 0 else 1
        assert min(one.most, max(0, own - one.busy)) <= given_[one.agent] <= one.most
    owed = sum(min(one.most, max(0, (share if one.level >= 0 else 1) - one.busy)) for one in found)
    assert sum(given_.values()) <= max(left, owed)
    if sum(given_.values()) < left:
        assert all(given_[one.agent] == one.most for one in found), "nothing is left lying"
