"""The benchmark's figures and table, out of rows written by hand."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).resolve().parents[1] / "benchmarks" / "edit_speed.py"))


def row(task: str, seconds: float, success: bool, claimed: bool, background: float = 0.0) -> dict:
    return {"task": task, "seconds": seconds, "success": success, "claimed": claimed, "target": True, "background": background}


ROWS = [row("color", 1.0, True, True), row("tilt", 2.0, False, True, 0.5), row("front", 9.0, True, False),
        row("updown", 4.0, False, False)]  # fmt: skip


def test_the_figures_of_one_way():
    figures = BENCHMARK["summary"](ROWS)
    assert (figures["edits"], figures["seconds_median"], figures["seconds_mean"]) == (4, 3.0, 4.0)
    assert (figures["success"], figures["claimed"], figures["claimed_wrongly"]) == (0.5, 0.5, 0.25)
    assert (figures["success_color"], figures["success_tilt"]) == (1.0, 0.0)
    assert figures["background_changed"] == pytest.approx(0.125)


def test_the_table_holds_both_ways_and_the_machine():
    figures = BENCHMARK["summary"](ROWS)
    table = BENCHMARK["as_markdown"]({
        "ours": figures, "plain": figures | {"seconds_median": 21.0}, "times_faster": 7.0, "machine": "a machine",
        "versions": {"torch": "2"}, "settings": {"count": 1, "seed": 0, "weights": "lite", "device": "cpu"},
    })  # fmt: skip
    lines = table.splitlines()
    assert lines[0] == "| | our editor | the plain way |"
    assert "| seconds an edit, median | 3.00 | 21.00 |" in lines and "| success, by the oracle | 50.0% | 50.0% |" in lines
    assert "7.0 times as fast" in table and "a machine; torch 2." in table


def test_a_count_of_nothing_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        BENCHMARK["main"](["--count", "0"])
    assert stop.value.code == 2 and "at least 1" in capsys.readouterr().err
