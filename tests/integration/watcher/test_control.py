"""What operators ask of the streams."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from watcher.leading.control import Control, Controls, PartsInvalid, can_divide, units_of
from watcher.unit import Unit

Document = dict[str, Any]


def test_a_database_that_nobody_asked_anything_of_is_read_in_one_part(mongo_db: Database[Document]) -> None:
    assert Controls(mongo_db.streams).read() == {}
    assert units_of("shop", Control()) == (Unit("shop"),)
    assert [unit.name for unit in units_of("shop", Control(partitions=2))] == ["shop#0/2", "shop#1/2"]


def test_a_stream_can_be_paused_and_resumed_and_begun_anew(mongo_db: Database[Document]) -> None:
    controls = Controls(mongo_db.streams)
    controls.pause("shop")
    controls.renew("blog")
    controls.renew("blog")
    assert controls.read() == {"shop": Control(paused=True), "blog": Control(generation=2)}

    controls.resume("shop")
    assert controls.read()["shop"] == Control()


def test_another_number_of_parts_is_another_layout_and_the_same_number_is_not(
    mongo_db: Database[Document],
) -> None:
    controls = Controls(mongo_db.streams)
    layouts = []
    for parts in (1, 4, 4, 1):
        controls.divide("shop", parts)
        layouts.append((controls.read()["shop"].partitions, controls.read()["shop"].layout))

    assert layouts == [(1, 0), (4, 1), (4, 1), (1, 2)]


@pytest.mark.parametrize("parts", [0, 9])
def test_only_a_small_number_of_parts_is_to_be_had(mongo_db: Database[Document], parts: int) -> None:
    with pytest.raises(PartsInvalid):
        Controls(mongo_db.streams).divide("shop", parts)


def test_the_test_server_can_tell_parts_apart(mongo_db: Database[Document]) -> None:
    assert can_divide(mongo_db.streams)
