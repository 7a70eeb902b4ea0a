"""The report: figures counted by hand, tables that can be read, pictures that are chosen rightly, and honest words."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from textedit_lite import cli, data_path, images
from textedit_lite.detect import Detections
from textedit_lite.errors import SettingsError, WeightsError
from textedit_lite.evaluation import figures, setwise, table
from textedit_lite.evaluation import report as reporting
from textedit_lite.evaluation.distances import clip_features_of
from textedit_lite.evaluation.report import NO_FID, Run, _failures, _name_apart, _notes, read_run, report, sheet_of
from textedit_lite.evaluation.rows import read_rows
from textedit_lite.evaluation.run import evaluate
from textedit_lite.evaluation.setwise import originals, set_measures
from textedit_lite.evaluation.table import OUTCOME, as_csv, as_latex, as_markdown, grid, shown
from textedit_lite.evaluation.verdict import by_models, hits, is_black
from textedit_lite.models import FULL, best_device, load_clip
from textedit_lite.world.coco import write_set
from textedit_lite.world.scenes import ideal_edit

NUMBERS = itertools.count()


def a_row(**changes) -> dict:
    """A row of an edit of a picture of its own that came back, was right, and took a second."""
    row = {
        "image_id": next(NUMBERS),
        "key": "tilt-1", "task": "tilt", "prompt": "the car changes to a car upside down", "status": "edited", "returned": True,
        "target": True, "verified": True, "success": True, "box": [0, 0, 9, 9], "margin": 0.9, "rounds": 1, "clip_direction": 0.5,
        "seconds": {"detect": 0.25, "inpaint": 0.75},
    }  # fmt: skip
    return row | changes


@pytest.fixture(scope="module", autouse=True)
def without_inception():
    """No FID, whatever this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setwise, "_inception_weights", lambda: None)
        yield


@pytest.fixture(scope="module")
def runs(models, tmp_path_factory):
    """Two runs of twelve edits that cost next to nothing, and their report."""
    folder = tmp_path_factory.mktemp("runs")
    made = [evaluate("world", name, ["color", "tilt"], 6, 3, out=folder / name, ablate=ablate, models=models, progress=False)
            for name, ablate in (("copy", None), ("ours", "rounds"))]  # fmt: skip
    return made, report(made, folder / "report", models), folder / "report"


# --- figures -----------------------------------------------------------------------------------------------------


def test_figures_are_those_of_the_rows():
    rows = [a_row(), a_row(success=False), a_row(returned=False, success=False, seconds={"detect": 0.5}), a_row(ssim_512=0.5)]
    found = table.figures(rows)
    assert found["n"] == 4
    assert found["success"][0] == 0.5 and found["success"][1] <= 0.5 <= found["success"][2]
    assert found["returned"][0] == 0.75
    assert found["ssim_512"] == (0.5, 0.5, 0.5), "one row has it, and only that one counts"
    assert found["total"][0] == pytest.approx((1 + 1 + 0.5 + 1) / 4) and found["total_median"][0] == 1
    assert "kept" not in found
    together = table.figures([one | {"image_id": 1} for one in rows])
    assert together["success"] == (0.5, 0.5, 0.5), "of one picture there is nothing to draw"


def test_an_editor_that_chooses_nothing_has_no_share_of_right_choices():
    assert "target" not in table.figures([a_row(target=None)])


def test_an_editor_is_right_of_itself_where_its_verdict_is_that_of_success():
    looked = [a_row(shown=0.9), a_row(shown=0.9, success=False), a_row(shown=0.2, verified=False, success=False),
              a_row(shown=0.0, verified=False, returned=False, success=False)]  # fmt: skip
    found = table.figures(looked)
    assert found["verified"][0] == 0.5 and found["right_of_itself"][0] == pytest.approx(2 / 3), "of the three that came back"
    blind = table.figures([a_row(shown=0.0, verified=False, success=False)] * 3)
    assert not {"verified", "right_of_itself"} & blind.keys(), "no verdict, so neither a wrong nor a right one"


def test_runs_of_one_editor_are_told_apart_by_their_folders(tmp_path):
    def named(*folders) -> list[str]:
        some = [Run(tmp_path / folder, "ours", {}, [], 0, {}) for folder in folders]
        _name_apart(some)
        return [run.name for run in some]

    assert named("a/ours") == ["ours"]
    assert named("few", "many") == ["ours (few)", "ours (many)"]
    assert named("a/ours", "b/ours") == ["ours (a/ours)", "ours (b/ours)"]
    assert named("a/ours", "b/ours", "a/ours") == ["ours (a/ours)", "ours (b/ours)", "ours (a/ours)"], "one of them is there twice"


def test_a_figure_is_shown_with_its_interval():
    assert shown(OUTCOME[0], (0.5, 0.25, 0.75)) == "50 (25 to 75)"
    assert shown(OUTCOME[0], (1.0, 1.0, 1.0)) == "100"
    assert shown(OUTCOME[0], (1.0, math.nan, math.nan)) == "100"
    assert shown(OUTCOME[0], None) == "-"


def test_tables_can_be_read():
    lines = [("TILT", "ours", table.figures([a_row(), a_row(success=False)])), ("TILT", "a_b", table.figures([a_row()]))]
    cells = grid(lines, OUTCOME)
    assert {len(row) for row in cells} == {len(cells[0])} and len(cells) == 4
    assert cells[-1][1] == "the paper, as reported" and "about 99" in cells[-1]
    lost = [("TILT", "ours", table.figures([a_row(ssim_512=0.5), a_row(returned=False)]))]
    assert grid(lost, OUTCOME)[1][2] == "2" and grid(lost, table.CHANGE)[1][2:4] == ["1", "0.500"]
    text = as_markdown(cells).splitlines()
    assert {line.count("|") for line in text} == {len(cells[0]) + 1} and len(text) == 5
    latex = as_latex(cells, "50 % & more")
    assert r"a\_b" in latex and r"50 \% \& more" in latex and latex.count(r"\\") == len(cells)
    parsed = list(csv.DictReader(io.StringIO(as_csv(lines))))
    assert [row["editor"] for row in parsed] == ["ours", "a_b"]
    assert float(parsed[0]["success"]) == 0.5 and float(parsed[0]["success_low"]) <= 0.5 and parsed[0]["fid"] == ""


def test_a_figure_has_the_unit_of_its_heading():
    found = table.figures([a_row(changed_outside_own_mask=0.0123, mse_outside=0.0004)], {"kid_clip": 0.002, "frechet_clip": 0.25})
    told = {name: cell for columns in table.TABLES.values() for name, cell in zip(*grid([("TILT", "ours", found)], columns)[:2])}
    assert told["success, %"] == "100" and told["pixels changed outside its own mask, %"] == "1.23"
    assert told["MSE outside"] == "4.0e-04" and told["seconds an edit, mean"] == "1.00"
    assert told["KID, CLIP, 1e-3"] == "2.000" and told["Frechet distance, CLIP"] == "0.2500"


def test_how_the_edits_ended_and_why_some_did_not_come_back(tmp_path):
    lost = [a_row(status="failed", returned=False, message=f"No memory: {i}.") for i in range(2)]
    rows = [*(a_row(message="Seen: yes.") for _ in range(3)), *lost, a_row(status="not_found", returned=False, message="Nothing there.")]
    text = _failures([Run(tmp_path, "ours", {}, rows, 6, {})])
    assert text.splitlines()[1:] == [
        "", "- **ours**: 3 edited, 2 failed, 1 not_found", "  - 2 times: No memory", "  - 1 times: Nothing there."]  # fmt: skip


def test_what_cannot_be_compared_is_said_of_the_runs_that_it_is_true_of(tmp_path):
    def said(data, weights, **row) -> str:
        return _notes([Run(tmp_path, "ours", {"data": data, "weights": weights}, [a_row(**row)], 1, {})])

    world, photograph = "The small world is no photograph", "The lite models have never seen a photograph"
    for text, there, not_there in (
        (said("world", "lite"), world, photograph), (said("my-scenes", "lite", oracle="success"), world, photograph),
        (said("coco", "lite"), photograph, world), (said("coco", "lite+lcm"), photograph, world),
    ):  # fmt: skip
        assert there in text and not_there not in text
    assert world not in said("coco", "full") and photograph not in said("coco", "full")


# --- pictures ----------------------------------------------------------------------------------------------------


def test_best_median_and_worst():
    rows = [a_row(key=f"{i:02d}", success=i < 5, mse_ideal_inside=(i * 7) % 10) for i in range(10)]
    order = figures.ranked([*rows, a_row(returned=False)])
    assert [row["success"] for row in order] == [True] * 5 + [False] * 5
    assert all(a["mse_ideal_inside"] <= b["mse_ideal_inside"] for half in (order[:5], order[5:]) for a, b in zip(half, half[1:]))
    parts = figures.picked(rows, 3)
    assert {name: [row["key"] for row in some] for name, some in parts.items()} == {
        "best": [row["key"] for row in order[:3]], "median": [row["key"] for row in order[3:6]],
        "worst": [row["key"] for row in order[7:]],
    }  # fmt: skip
    assert figures.picked(rows[:2]) == {}


def test_without_an_ideal_the_words_decide():
    order = figures.ranked([a_row(key="a", clip_direction=0.1), a_row(key="b", clip_direction=0.9)])
    assert [row["key"] for row in order] == ["b", "a"]


def test_the_margin_is_binned():
    rows = [a_row(margin=0.05, target=False), a_row(margin=0.1), a_row(margin=1.0), a_row(margin=0.5, box=None), a_row(target=None)]
    assert figures.reliable(rows) == [(0.1, 2, 0.5), (0.9, 1, 1.0)]
    ax = figures.reliability({"ours": rows, "copy": [a_row(target=None)]})
    assert [len(line.get_xdata()) for line in ax.lines] == [2]


def test_who_is_not_beaten():
    success, harm = [0.9, 0.9, 0.0, 0.5, 0.95], [0.1, 0.2, 0.0, 0.3, 0.1]
    assert figures.unbeaten(success, harm).tolist() == [False, False, True, False, True]
    assert figures.unbeaten([0.5, 0.5], [0.1, 0.1]).all(), "alike"
    assert figures.unbeaten([], []).shape == (0,)


def test_success_stands_against_harm():
    rows = [a_row(success=True, mse_outside=0.002), a_row(success=False, mse_outside=0.004), a_row(success=False, mse_outside=None)]
    assert figures.success_and_harm(rows) == pytest.approx((1 / 3, 0.003))
    ax = figures.trade_off({"ours": (0.9, 0.0), "copy": (0.0, 0.0), "sdedit": (0.5, 0.01)})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ours", "copy", "sdedit"]
    assert [line.get_markerfacecolor() == "white" for line in ax.lines] == [False, True, True], "ours beats both"
    low, high = ax.get_xlim()
    for line in ax.lines:
        assert low < line.get_xdata()[0] < high, "none is cut off, not even the one without harm"


def test_who_gave_no_picture_back_does_not_stand_beside_who_did_no_harm():
    gone = figures.success_and_harm([a_row(returned=False, success=False) | {"mse_outside": None}])
    assert gone[0] == 0 and math.isnan(gone[1])
    ax = figures.trade_off({"ours": (0.9, 0.0), "gone": gone})
    assert [line.get_label() for line in ax.lines] == ["ours"]
    assert not figures.trade_off({"gone": gone}).lines


def test_the_cost_is_the_sum_of_its_stages():
    ax = figures.cost({"ours": [a_row(), a_row(seconds={"detect": 0.25, "inpaint": 2.75})], "copy": [a_row(seconds={})]})
    assert [text.get_text().strip() for text in ax.texts] == ["2.00 s", "0.00 s"]
    widths = [bar.get_width() for bar in ax.patches]
    assert sum(widths) == pytest.approx(2.0)


# --- the verdict without a scene ---------------------------------------------------------------------------------


def seen(label: str, *box: float) -> Detections:
    return Detections(np.array([box], np.float32), np.array([0.9], np.float32), (label,), 0.5)


def test_a_photograph_is_judged_by_colour_detector_and_direction():
    red, blue = (Image.new("RGB", (40, 40), colour) for colour in ((215, 40, 40), (45, 95, 215)))
    mask, places = np.zeros((40, 40), bool), np.array([[10, 10, 30, 30]], np.float32)
    mask[10:30, 10:30] = True

    def success(image=red, found=None, direction=0.5, change=None):
        found = found or seen("car", 11, 11, 30, 30)
        return by_models("car", change or {"colour": "red"}, image, mask, places, found, direction)["success_by_models"]

    assert success()
    assert not success(image=blue), "the wrong colour"
    assert success(image=blue, change={"pose": "tilted"}), "where no colour was asked for"
    assert not success(found=seen("bus", 11, 11, 30, 30)), "no car any more"
    assert not success(found=seen("car", 0, 0, 12, 12)), "another car"
    assert not success(direction=-0.1) and not success(direction=0.0)
    assert not success(image=Image.new("RGB", (40, 40)), change={"colour": "black"}), "a picture that a safety checker blackened"


def test_hardly_any_colour_is_no_colour():
    direction, places, found = 0.1, np.array([[0, 0, 10, 10]], np.float32), seen("bus", 0, 0, 10, 10)
    mask = np.ones((10, 10), bool)
    for reds, coloured in ((3, False), (20, True)):  # of 100 pixels, the rest grey
        pixels = np.full((100, 3), 128, np.uint8)
        pixels[:reds] = 230, 20, 20
        edited = Image.fromarray(pixels.reshape(10, 10, 3))
        assert by_models("bus", {"colour": "red"}, edited, mask, places, found, direction)["coloured"] is coloured
        assert not by_models("bus", {"colour": "red"}, edited, ~mask, places, found, direction)["coloured"], "there is no object"


def test_a_black_picture_is_told_from_a_dark_one():
    assert is_black(Image.new("RGB", (9, 9), (1, 0, 2))) and not is_black(Image.new("RGB", (9, 9), (0, 0, 30)))


def test_the_right_object_is_the_one_with_the_largest_overlap():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 12, 12]], np.float32)
    assert hits((0, 0, 10, 10), boxes, 0) and not hits((0, 0, 12, 12), boxes, 0)
    assert not hits((0, 0, 4, 10), boxes, 0), "half of it is not it"
    assert not hits(None, boxes, 0)


# --- whole reports -----------------------------------------------------------------------------------------------


def test_a_report_says_what_compares(runs):
    folders, text, out = runs
    assert (out / "report.md").read_text() == text
    for words in ("33.9 to 37.0", "0.63", "about 99", "2.65", "RTX A5000", "1,000 images of COCO val2017", "no photograph",
                  "N = 12, paired, reference: the originals", "12 edits"):  # fmt: skip
        assert words in text, words
    assert "| COLOR | copy | 6 | 100 |" in text
    rows = list(csv.DictReader((out / "report.csv").open()))
    assert [(row["task"], row["editor"]) for row in rows] == [
        (task, name) for task in ("COLOR", "TILT", "all") for name in ("copy", "ours, one round only")
    ]  # fmt: skip
    copies = [row for row in rows if row["editor"] == "copy"]
    assert all(float(row["success"]) == 0 and float(row["psnr_outside"]) == 100 for row in copies)
    assert all(float(row["frechet_clip"]) < 1e-9 for row in copies if row["task"] == "all")
    for name in ("report.tex", "trade_off.png", "reliability.png", "cost.png", "sheet-0.png", "sheet-1.png"):
        assert (out / name).stat().st_size > 500


def test_a_sheet_shows_the_input_the_edit_and_the_ideal_in_this_order(runs, models):
    run = read_run(runs[0][1], models)
    row, source = figures.picked(run.rows)["best"][0], setwise.set_of(run.folder)
    picture = source.picture(row["image_id"])
    order = picture.objects[row["index"]].attributes["order"]
    wanted = [source.open(picture), Image.open(run.folder / "edits" / f"{row['key']}.png"),
              ideal_edit(source.scene(picture), order, row["change"])]  # fmt: skip
    for ax, image in zip(sheet_of(run).axes, wanted):
        assert np.array_equal(ax.images[0].get_array(), image)


def test_a_report_that_is_stopped_leaves_the_figures_of_the_one_before(runs, models, tmp_path, monkeypatch):
    folders, _, out = runs
    before = {path.name: path.read_bytes() for path in out.glob("*.png")}
    shutil.copytree(out, tmp_path / "out")

    class Stopped(io.FileIO):
        def write(self, data):
            if data.startswith(b"\x89PNG"):
                super().write(data[:100])
                raise KeyboardInterrupt
            return super().write(data)

    monkeypatch.setattr(images, "open", Stopped, raising=False)
    with pytest.raises(KeyboardInterrupt):
        report(folders, tmp_path / "out", models)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix in (".png", ".part")} == before


def test_distances_are_kept_and_of_the_right_pictures(runs, models):
    folders, _, _ = runs
    path = folders[1] / "distances.json"
    kept = json.loads(path.read_text())
    assert set(kept["tasks"]) == {"all"}, "6 edits of a task are too few"
    path.write_text(json.dumps(kept | {"tasks": {"all": {"mark": 1}}}))
    assert set_measures(folders[1]) == {"all": {"mark": 1}}, "computed once"
    path.unlink()
    again = set_measures(folders[1], models)
    assert again["all"]["frechet_clip"] == pytest.approx(kept["tasks"]["all"]["frechet_clip"]) and again["all"]["frechet_clip"] > 0
    keys = [row["key"] for row in read_rows(folders[0])]
    for key, image in zip(keys, originals(folders[0], keys), strict=True):
        assert np.array_equal(image, Image.open(folders[0] / "edits" / f"{key}.png"))


def test_what_did_not_come_back_is_in_no_distance(runs, models, tmp_path):
    folder = shutil.copytree(runs[0][0], tmp_path / "run")
    rows = read_rows(folder)
    rows[0]["returned"] = False
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "edits" / f"{rows[0]['key']}.png").unlink()
    (folder / "distances.json").unlink()
    found = set_measures(folder, models)["all"]
    assert found["n"] == 11 and "N = 11, paired" in found["captions"]["kid_clip"]


def test_the_fid_is_made_up_for_where_inception_has_come_to_hand(runs, models, tmp_path, monkeypatch):
    folder = shutil.copytree(runs[0][1], tmp_path / "run")
    assert "fid" not in set_measures(folder, models)["all"]
    monkeypatch.setattr(setwise, "_inception_weights", lambda: tmp_path / "weights.pth")
    monkeypatch.setattr(setwise, "inception_features", lambda images, *_: setwise.clip_features_of(images, models))
    found = set_measures(folder, models)["all"]
    assert found["fid"] == found["frechet_clip"] and found["captions"]["fid"].startswith("FID over Inception")
    monkeypatch.setattr(setwise, "inception_features", None)
    assert set_measures(folder)["all"] == found, "and kept"


def test_an_fid_that_fails_costs_no_other_distance_and_says_why(runs, models, tmp_path, monkeypatch):
    folder = shutil.copytree(runs[0][1], tmp_path / "run")
    assert NO_FID in report([folder], models=models) and "fetch inception" in NO_FID

    def fails(*given):
        raise WeightsError("No module named 'torchvision': install one.")

    monkeypatch.setattr(setwise, "_inception_weights", lambda: tmp_path / "weights.pth")
    monkeypatch.setattr(setwise, "inception_features", fails)
    monkeypatch.setattr(setwise, "clip_features_of", None)
    text = report([folder])
    assert NO_FID in text and "- No module named 'torchvision': install one.\n" in text and "| 12 | 0.0" in text
    monkeypatch.undo()
    monkeypatch.setattr(setwise, "_inception_weights", lambda: tmp_path / "weights.pth")
    monkeypatch.setattr(setwise, "inception_features", lambda images, *_: clip_features_of(images, models))
    text = report([folder])
    assert NO_FID not in text and "torchvision" not in text and "FID over Inception" in text


def test_a_report_loads_clip_alone_once_and_where_the_run_was(runs, models, tmp_path, monkeypatch):
    folders = [shutil.copytree(folder, tmp_path / folder.name) for folder in runs[0]]
    kept = [json.loads((folder / "distances.json").read_text()) for folder in folders]
    loaded = []

    def load(*given):
        loaded.append(given)
        return load_clip(*given)

    for folder in folders:
        (folder / "distances.json").unlink()
    monkeypatch.setattr(reporting, "load_clip", load)
    report(folders)
    assert loaded == [("lite", "cpu")]
    for folder, before in zip(folders, kept):
        after = json.loads((folder / "distances.json").read_text())["tasks"]["all"]
        assert after["frechet_clip"] == pytest.approx(before["tasks"]["all"]["frechet_clip"], rel=1e-6, abs=1e-9)


def test_a_run_that_was_made_on_another_device_is_measured_on_this_one():
    assert setwise._device("cpu") == "cpu"
    assert setwise._device("cuda:99") == best_device()


def test_a_report_downloads_nothing(runs, tmp_path, monkeypatch):
    from huggingface_hub import constants

    from textedit_lite import hub

    folder = shutil.copytree(runs[0][0], tmp_path / "run")
    (folder / "distances.json").unlink()
    manifest = json.loads((folder / "run.json").read_text())
    manifest["settings"]["weights"] = "full"
    (folder / "run.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(hub, "fetch", lambda *given: pytest.fail("it began"))
    text = report([folder])
    assert "No distances of its sets: The CLIP of the full weights is not here: `textedit-lite fetch full` downloads them." in text


def test_a_clip_that_cannot_be_read_is_one_sentence(tmp_path):
    for part in FULL:
        shutil.copytree(data_path("models", "lite", part), tmp_path / part)
    (tmp_path / "clip" / "model.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="The CLIP of the .* weights cannot be loaded"):
        load_clip(tmp_path, "cpu")


def test_evaluate_hands_its_models_to_its_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reporting, "load_clip", lambda *given: pytest.fail("loaded again"))
    words = ["evaluate", "--editor", "copy", "--tasks", "color", "--images", "10", "--device", "cpu", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    assert "N = 10, paired" in capsys.readouterr().out and (tmp_path / "report" / "report.md").is_file()


def test_of_several_processes_the_first_one_reports(models, tmp_path, monkeypatch):
    reported = []
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setattr("textedit_lite.evaluation.run._wait_for_the_first", lambda folder: None)
        evaluate("world", "copy", ["color"], 2, block=1, out=tmp_path, models=models, progress=False,
                 then=lambda folder, given: reported.append((os.environ["RANK"], folder, given.clip)))  # fmt: skip
    assert reported == [("0", tmp_path, models.clip)]


def test_runs_of_one_name_are_told_apart_and_other_edits_are_said(runs, models, tmp_path):
    folders, _, _ = runs
    other = evaluate("world", "copy", ["color"], 2, 9, out=tmp_path / "mine", models=models, progress=False)
    text = report([folders[0], other], models=models)
    assert "copy (copy)" in text and "copy (mine)" in text and "did not make the same edits" in text
    assert read_run(other, models).distances == {}


def test_an_unfinished_run_says_so(runs, models, tmp_path):
    whole = runs[0][0]
    for name in ("run.json", "cases.jsonl"):
        (tmp_path / name).write_text((whole / name).read_text())
    (tmp_path / "parts").mkdir()
    lines = (whole / "rows.jsonl").read_text().splitlines(True)
    (tmp_path / "parts" / "0000.jsonl").write_text("".join(lines[:3]) + lines[3][:50])
    assert "3 of 12 edits so far" in report([tmp_path], models=models)


def test_a_run_of_several_versions_says_so(runs, models, tmp_path):
    folder = shutil.copytree(runs[0][0], tmp_path / "run")
    assert "under" not in report([folder], models=models).split("##")[0]
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(manifest | {"started": 2 * manifest["started"]}))
    assert "continued under 2 versions or machines" in report([folder], models=models)


def test_a_run_whose_set_has_gone_is_reported_all_the_same(models, tmp_path):
    data = write_set(tmp_path / "set", 3, seed=3)
    run = evaluate(str(data), "copy", ["color"], 2, out=tmp_path / "run", models=models, progress=False)
    data.rename(tmp_path / "gone")
    rows = [row | {"key": f"{row['key']}-{i}"} for row in read_rows(run) for i in range(9)]  # enough for distances
    (run / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        Image.new("RGB", (99, 99)).save(run / "edits" / f"{row['key']}.png")
    text = report([run], tmp_path / "report", models)
    assert "No distances of its sets" in text and "No sheet of copy" in text and "| COLOR | copy | 18 |" in text


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="holds no run"):
        report([tmp_path])
    with pytest.raises(SettingsError, match="no run to report"):
        report([])
