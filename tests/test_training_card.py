"""The training curves that stay with a model: thin, in order, and in a file that still says what it said."""

from __future__ import annotations

import json

from textedit_lite.training.card import POINTS, add_curves


def write_log(folder, steps, **last):
    folder.mkdir(parents=True)
    lines = [{"step": 10 * i, "minutes": i / 2, "lr": 1e-3, "loss": 1 / (i + 1), **last} for i in range(steps)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 99')  # a killed run's end
    return lines


def test_a_long_log_is_averaged_to_few_points_and_ends_where_the_run_did(tmp_path):
    lines = write_log(tmp_path / "training", 500, l1=0.25)
    (tmp_path / "results.json").write_text(json.dumps({"results": {"psnr": 31.0}, "training": {"betas": [0.9, 0.999]}}))
    curve = add_curves(tmp_path)["all"]
    assert set(curve) == {"step", "minutes", "loss", "l1"} and all(len(column) == POINTS for column in curve.values())
    assert curve["step"][-1] == lines[-1]["step"] and curve["minutes"] == sorted(curve["minutes"])
    assert abs(curve["loss"][0] - sum(line["loss"] for line in lines[:9]) / 9) < 1e-3
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["curves"]["all"] == curve and stored["results"] == {"psnr": 31.0} and stored["training"]["betas"] == [0.9, 0.999]


def test_a_note_stands_beside_the_curves_of_another_run(tmp_path):
    write_log(tmp_path / "again", 5)
    (tmp_path / "results.json").write_text("{}")
    add_curves(tmp_path, tmp_path / "again", "of a repetition")
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["curves_note"] == "of a repetition" and stored["curves"]["all"]["step"] == [0, 10, 20, 30, 40]


def test_phases_have_a_curve_each_and_no_log_writes_nothing(tmp_path):
    import os

    (tmp_path / "results.json").write_text("{}")
    assert add_curves(tmp_path) == {} and (tmp_path / "results.json").read_text() == "{}"
    for age, phase in ((30, "dense"), (20, "decoder"), (10, "joint")):
        write_log(tmp_path / "training" / phase, 3)
        os.utime(tmp_path / "training" / phase / "log.jsonl", (10**9 - age, 10**9 - age))
    assert list(add_curves(tmp_path)) == ["dense", "decoder", "joint"]


def test_a_log_that_has_no_whole_line_yet_is_no_curve(tmp_path):
    write_log(tmp_path / "training", 0)
    (tmp_path / "results.json").write_text("{}")
    assert add_curves(tmp_path) == {}


def test_of_several_gpus_the_one_that_was_used_is_named(monkeypatch):
    import torch

    from textedit_lite.training.card import machine

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", {None: "the current one", "cuda:1": "the second"}.__getitem__)
    assert machine().startswith("the current one, torch") and machine("cuda:1").startswith("the second, torch")
