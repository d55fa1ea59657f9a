from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench.peers.chart import WIDTH, chart
from bench.peers.summary import CEILING, OURS, PEER, own_cpu, ratios, spread, summarised
from bench.peers.terminal import comparison

_SVG = "{http://www.w3.org/2000/svg}"


def turn(system: str, rate: float, **more: Any) -> dict[str, Any]:
    return {
        "system": system,
        "documents_per_second": rate,
        "cpu_ms_per_document": {"mongod": 2.0, "broker": 0.5, "model": 0.25, "worker": 4.0},
        "rss_mb": {"worker": 100.0, "web": 50.0},
        **more,
    }


def documents(**more: Any) -> dict[str, Any]:
    overhead = {"overhead_ms": {"p50": 12.0, "p95": 25.0, "max": 90.0}}
    return {"enriched": 2000, "lost": 0, "doubled": 0, "model_calls": 2000, **overhead, **more}


TURNS = [
    turn(CEILING, 300.0),
    turn(PEER, 50.0, **documents(lost=3, doubled=1)),
    turn(OURS, 200.0, **documents()),
    turn(PEER, 40.0, **documents(lost=2)),
    turn(OURS, 160.0, **documents()),
]


def result(turns: list[dict[str, Any]]) -> dict[str, Any]:
    summary = summarised(turns)
    return {
        "documents": 2000,
        "slots": 64,
        "model_latency_ms": 200,
        "cores": 2,
        "ideal_documents_per_second": 320.0,
        "summary": summary,
        "ratios": ratios(summary, ideal=320.0),
    }


def test_a_system_is_shown_by_its_median_with_the_least_and_the_most() -> None:
    assert spread([9.0, 1.0, 5.0]) == {"median": 5.0, "min": 1.0, "max": 9.0}


def test_systems_come_in_the_order_of_their_first_turn_and_documents_of_all_turns_are_counted() -> None:
    summary = summarised(TURNS)
    assert list(summary) == [CEILING, PEER, OURS]
    assert summary[PEER]["documents_per_second"] == {"median": 45.0, "min": 40.0, "max": 50.0}
    assert (summary[PEER]["lost"], summary[PEER]["doubled"], summary[PEER]["enriched"]) == (5, 1, 4000)
    assert "lost" not in summary[CEILING]


def test_a_systems_own_cpu_leaves_out_the_servers() -> None:
    assert own_cpu(TURNS[0]) == 4.0
    assert summarised(TURNS)[OURS]["cpu_ms_per_document"]["median"] == 6.75
    assert summarised(TURNS)[OURS]["rss_mb"]["median"] == 150.0


def test_ratios_are_ours_by_theirs() -> None:
    assert ratios(summarised(TURNS), ideal=320.0) == {
        "ours_by_peer": 4.0,
        "ours_by_ideal": 0.56,
        "ours_by_ceiling": 0.6,
    }


def test_a_system_that_finished_nothing_gives_no_ratio() -> None:
    turns = [turn(PEER, 0.0), turn(OURS, 200.0)]
    assert ratios(summarised(turns), ideal=320.0) == {"ours_by_ideal": 0.62}


def test_the_table_has_a_line_for_each_system_and_each_ratio() -> None:
    lines = comparison(result(TURNS)).splitlines()
    [ours] = [line for line in lines if line.startswith(f"{OURS}  ")]
    assert "180.0 (160.0 to 200.0)" in ours
    assert ours.split()[-2:] == ["12.0", "25.0"]
    [ceiling] = [line for line in lines if line.startswith(CEILING)]
    assert ceiling.split()[1:5] == ["300.0", "-", "-", "-"]
    assert "this system ÷ MongoClaw 1.0.4: 4.00" in lines


def test_columns_of_the_table_stand_below_each_other() -> None:
    header, *rows = comparison(result(TURNS)).splitlines()[2:6]
    assert {len(row) for row in rows[1:]} == {len(header)}


def bars(drawn: str) -> list[ET.Element]:
    return ET.fromstring(drawn).findall(f"{_SVG}rect")


def test_bars_are_as_long_as_the_medians() -> None:
    ceiling, peer, ours = (float(bar.attrib["width"]) for bar in bars(chart(result(TURNS))))
    assert ceiling / ours == pytest.approx(300 / 180, rel=0.01)
    assert ours / peer == pytest.approx(4.0, rel=0.01)


def test_our_bar_alone_has_our_colour_and_all_stay_inside_the_picture() -> None:
    found = bars(chart(result(TURNS)))
    assert [bar.attrib["class"] for bar in found] == ["other", "other", "ours"]
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= WIDTH for bar in found)


def test_the_chart_changes_its_colours_on_dark_ground_and_can_be_read_aloud() -> None:
    drawn = chart(result(TURNS))
    assert "prefers-color-scheme: dark" in drawn
    assert ET.fromstring(drawn).attrib["aria-label"] == (
        f"Documents a second: {CEILING} 300, {PEER} 45, {OURS} 180"
    )
