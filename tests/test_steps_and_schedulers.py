"""The sweep of steps, guidance and schedulers: which schedulers it takes, its table, and that it goes on where it was."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from textedit_lite.errors import SettingsError

SWEEP = runpy.run_path(str(Path(__file__).resolve().parents[1] / "benchmarks" / "steps_and_schedulers.py"))
Way = SWEEP["Way"]
USUAL, FAST, POOR = Way("ddim", 12, 3.0), Way("unipc", 4, 3.0), Way("ddim", 2, 1.0)


def row(way, task: str, scene: int, success: bool, seconds: float) -> dict:
    return way._asdict() | {"task": task, "scene": scene, "success": success, "verified": success, "seconds": seconds}


LOST = {("front", 0), ("front", 3), ("tilt", 3)}  # of the poor way: one edit of one scene, two of the other
ROWS = [row(way, task, scene, way != POOR or (task, scene) not in LOST, seconds)
        for way, seconds in ((USUAL, 2.0), (FAST, 1.0), (POOR, 0.5))
        for task in ("color", "tilt", "front", "updown") for scene in (0, 3)]  # fmt: skip


def test_only_schedulers_that_end_in_pure_noise_are_taken():
    from textedit_lite.training.inpaint import noise_schedule

    named, own = SWEEP["scheduler_named"], noise_schedule()
    for name in ("ddim", "dpm++", "unipc", "euler"):
        other = named(name, own)
        other.set_timesteps(4)
        assert other.config.prediction_type == "v_prediction" and other.timesteps.tolist() == [999, 749, 499, 249]
        assert float(other.alphas_cumprod[-1]) < 1e-6
    for name in ("heun", "deis", "lms", "pndm", "singlestep"):
        with pytest.raises(SettingsError, match="6.8% of signal"):
            named(name, own)
    with pytest.raises(SettingsError, match="choose of"):
        named("magic", own)


def test_the_fastest_that_keeps_the_success_is_named():
    figures = SWEEP["summary"](ROWS, USUAL)
    by_way = {Way(one["scheduler"], one["steps"], one["guidance"]): one for one in figures}
    assert by_way[USUAL]["success"] == by_way[FAST]["success"] == 1.0 and by_way[FAST]["loses"] == 0.0
    assert (by_way[POOR]["success"], by_way[POOR]["front"], by_way[POOR]["loses"]) == (0.625, 0.0, 0.375)
    assert by_way[POOR]["loses_interval"] == (0.25, 0.5)  # of scenes: all of one, or all of the other
    assert SWEEP["fastest"](figures) == by_way[FAST]
    table = SWEEP["as_markdown"](figures, USUAL, 0)
    assert len(table.splitlines()) == 2 + 3 + 3 and "unipc, 4 steps, guidance 3: 1.00 s" in table
    assert len({line.count("|") for line in table.splitlines()[:5]}) == 1
    assert len(SWEEP["draw"](figures).axes) == 2


def test_a_row_that_was_cut_short_is_made_again(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ROWS[:3]) + json.dumps(ROWS[3])[:40])
    assert SWEEP["read_rows"](path) == ROWS[:3]
    assert len(path.read_text().splitlines()) == 3 and not (tmp_path / "none").exists() == (SWEEP["read_rows"](tmp_path / "none") == [])


def test_a_sweep_goes_on_and_keeps_to_its_settings(tmp_path, capsys):
    arguments = ["--count", "1", "--schedulers", "ddim", "--steps", "1", "--guidance", "1", "--out", str(tmp_path)]
    # All but one of the edits are there already: of the usual way, and of the one that is asked for.
    places = [(task, case.scene.index) for task in SWEEP["TASKS"] for case in SWEEP["scene_cases"](1, 0, task)]
    rows = [row(way, *at, True, 1.0) for way in (USUAL, Way("ddim", 1, 1.0)) for at in places][:-1]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert SWEEP["main"](arguments) == 0
    made = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert made[:-1] == rows and SWEEP["key"](made[-1]) == ("ddim", 1, 1.0, *places[-1])
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out and (tmp_path / "steps.png").stat().st_size > 5000
    assert SWEEP["main"]([*arguments, "--seed", "1"]) == 2 and "another folder" in capsys.readouterr().err
