"""The training curves that stay with a model: thin, in order, and in a file that still says what it said."""

from __future__ import annotations

import hashlib
import json

import torch

from textedit_lite.training.card import POINTS, add_curves, write_card
from textedit_lite.training.loop import Run


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


def test_a_card_has_the_numbers_of_its_run_and_the_sums_of_the_weights_alone(tmp_path):
    for name in ("model.safetensors", "unet/model.safetensors", "training/checkpoint.safetensors", ".5-model.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    run = Run(torch.nn.Linear(3, 2), 1234, 12.346, {"lr": 0.001, "seed": 7}, {"loss": 0.1234567})
    write_card(tmp_path, title="A model", what="It does.", command="train it", data="scenes", run=run, limits="None.",
               results={"iou": {"box": 0.51234, "sam": 0.9}, "objects": 12}, targets={"iou.sam": ">= 0.8"}, more="## More")  # fmt: skip
    card = (tmp_path / "README.md").read_text()
    for line in (
        "# A model", "| iou.box | 0.5123 |  |", "| iou.sam | 0.9 | >= 0.8 |", "| objects | 12 |  |", "| parameters | 8 |",
        "| steps | 1,234 |", "| minutes | 12.3 |", "| settings | lr 0.001, seed 7 |", "| losses at the end | loss 0.1235 |", "## More",
    ):  # fmt: skip
        assert line in card.splitlines(), line
    rows = [line for line in card.splitlines() if "safetensors" in line]
    assert rows == [f"| {name} | {len(name)} | `{hashlib.sha256(name.encode()).hexdigest()}` |"
                    for name in ("model.safetensors", "unet/model.safetensors")]  # fmt: skip
    facts = json.loads((tmp_path / "results.json").read_text())
    assert facts["results"] == {"iou": {"box": 0.51234, "sam": 0.9}, "objects": 12}
    training = facts["training"]
    assert (training["steps"], training["minutes"], training["losses"]) == (1234, 12.35, {"loss": 0.12346})
    assert training["settings"] == run.settings and training["command"] == "train it"
