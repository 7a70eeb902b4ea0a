"""The oracle: right on edits whose truth is known, however they are spoiled, and the measures that stand on it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from textedit_lite.errors import SettingsError
from textedit_lite.evaluation.cases import asked_change, naming, targets
from textedit_lite.evaluation.verdict import gradient_energy
from textedit_lite.training.score_editor import SceneCase, contact_sheet, interval, measure, scene_cases, score_editor, summary
from textedit_lite.training.score_oracle import as_text, confusion
from textedit_lite.training.spoil import EMPTY, SPOILED
from textedit_lite.vocabulary import COLOUR_RGB, COLOURS, TASKS
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.oracle import judge, palette_shares
from textedit_lite.world.scenes import (
    Scene,
    SceneObject,
    boxes,
    full_mask,
    ideal_edit,
    make_scene,
    mask_box,
    render,
    visible_masks,
)

ATTRIBUTES = ("category", "colour", "view", "pose")


def scene_of(*objects: SceneObject, kind: str = "gradient", size: int = 256) -> Scene:
    return Scene("test", 0, 0, size, size, Background(kind, 5, None if kind == "gradient" else 0.4), objects)


CAR = SceneObject("car", "red", "side", "upright", 0.5, 0.5, 0.36)


@pytest.fixture(scope="module")
def measured():
    """The confusion tables on 16 scenes, four of each task."""
    return confusion(16, seed=2, progress=False)


# --- right and wrong ---------------------------------------------------------------------------------------------


def test_ideal_edits_are_read_rightly(measured):
    row = measured[0]["ideal"]
    assert row["edits"] >= 12
    assert all(row[name] == 1 for name in (*ATTRIBUTES, "all", "success", "changed"))


def test_unedited_scenes_are_not_changed(measured):
    row = measured[0]["unedited"]
    assert (row["all"], row["changed"], row["success"]) == (1, 0, 0)


@pytest.mark.parametrize("kind", ["wrong colour", "wrong pose", "wrong view", "other category"])
def test_wrong_edits_are_no_success_and_named(measured, kind):
    row = measured[0][kind]
    assert row["edits"] >= 8
    assert (row["all"], row["changed"], row["success"]) == (1, 1, 0)


@pytest.mark.parametrize("kind", SPOILED)
def test_spoiled_edits_are_recognised(measured, kind):
    assert measured[0][kind]["success"] == 1


@pytest.mark.parametrize("kind", EMPTY)
def test_where_nothing_is_left_nothing_is_seen(measured, kind):
    row = measured[0][kind]
    assert row["success"] == 0 and row["changed"] == 1
    assert row["all"] == 1


def test_tables_count_every_edit(measured):
    kinds, tables = measured
    counted = sum(row["edits"] for kind, row in kinds.items() if kind not in {**SPOILED, **EMPTY})
    assert {sum(table.values()) for table in tables.values()} == {counted}
    text = as_text(kinds, tables)
    assert "| ideal |" in text and "| upside down |" in text


@pytest.mark.parametrize("size", [128, 512])
def test_any_size_of_picture(size):
    scene = scene_of(CAR, size=size)
    assert judge(scene, 0, {"view": "front"}, ideal_edit(scene, 0, {"view": "front"})).success


# --- what a judgement says ---------------------------------------------------------------------------------------


def test_what_is_kept_is_told_apart():
    scene = scene_of(CAR)
    found = judge(scene, 0, {"pose": "tilted"}, ideal_edit(scene, 0, {"pose": "tilted", "colour": "blue"}))
    assert found.success and found.changed
    assert found.kept == {"category": True, "colour": False, "view": True}
    found = judge(scene, 0, {"colour": "blue"}, ideal_edit(scene, 0, {"colour": "blue", "view": "front"}))
    assert found.success and found.kept == {"category": True, "view": False, "pose": True}
    assert found.likeness > 0.8 and all(margin > 0.02 for margin in found.margins.values())


def test_another_category_is_a_success_only_where_it_was_asked_for():
    scene = scene_of(CAR)
    bus = ideal_edit(scene, 0, {"category": "bus", "colour": "blue"})
    assert not judge(scene, 0, {"colour": "blue"}, bus).success
    assert judge(scene, 0, {"category": "bus", "colour": "blue"}, bus).success


def test_an_empty_place_keeps_nothing():
    scene = scene_of(CAR)
    found = judge(scene, 0, {"colour": "blue"}, render(replace(scene, objects=())))
    assert [getattr(found, name) for name in ATTRIBUTES] == [None] * 4
    assert found.changed and not found.success and not any(found.kept.values())


def test_what_stands_in_front_is_left_out():
    front = SceneObject("cup", "yellow", "front", "upright", 0.68, 0.55, 0.25)
    scene = scene_of(CAR, front)
    hidden = full_mask(scene, 0) & full_mask(scene, 1)
    assert hidden.sum() > 0.1 * full_mask(scene, 0).sum(), "the cup hides a part of the car"
    for change in ({"colour": "blue"}, {"pose": "upside down"}):
        edited = np.array(ideal_edit(scene, 0, change))
        assert judge(scene, 0, change, Image.fromarray(edited)).success
        edited[full_mask(scene, 1) > 0] = (0, 255, 0)  # whatever a painter did to the cup
        assert judge(scene, 0, change, Image.fromarray(edited)).success


def test_white_on_snow_and_black_on_the_road():
    for colour, kind in (("white", "snow"), ("black", "road"), ("green", "meadow"), ("blue", "sea")):
        scene = scene_of(replace(CAR, y=0.7), kind=kind)
        found = judge(scene, 0, {"colour": colour}, ideal_edit(scene, 0, {"colour": colour}))
        assert found.success and found.colour == colour, (colour, kind)


def test_what_hardly_differs_from_its_background_is_found():
    scene = make_scene(324, "test", 1)  # a white cup on snow, in the shadow of a car
    found = judge(scene, 0, {"pose": "tilted"}, render(scene))
    assert (found.category, found.colour) == ("cup", "white") and not found.changed


@pytest.mark.parametrize("colour", COLOURS)
def test_palette_shares(colour):
    pixels = np.broadcast_to(np.array(COLOUR_RGB[colour])[:, None] / 255, (3, 50))
    weights = np.ones(50)
    shares = palette_shares(pixels, weights)
    assert shares[COLOURS.index(colour)] == 1 and shares.sum() == 1
    grey = np.full((3, 50), 0.55)
    shares = palette_shares(np.concatenate([pixels, grey], 1), np.r_[weights, weights * 3])
    assert shares[COLOURS.index(colour)] == 0.25 and shares[-1] == 0.75


def test_bad_questions_are_refused():
    scene = scene_of(CAR)
    for index, change, size in ((1, {}, 256), (-1, {}, 256), (0, {"shape": "round"}, 256), (0, {}, 200)):
        with pytest.raises(SettingsError):
            judge(scene, index, change, Image.new("RGB", (size, size)))


# --- what is edited ----------------------------------------------------------------------------------------------


def test_targets_can_be_judged():
    clear = SceneObject("cup", "blue", "front", "tilted", 0.25, 0.25, 0.25)
    cut = SceneObject("bird", "green", "side", "upright", 0.05, 0.75, 0.3)
    covered = SceneObject("clock", "red", "front", "upright", 0.75, 0.25, 0.25)
    covering = replace(covered, category="suitcase", y=0.36)
    scene = scene_of(clear, cut, covered, covering)
    assert targets(scene, "color") == [0, 3]
    assert targets(scene, "tilt") == [3], "the cup is tilted already"
    assert targets(scene, "front") == []
    with pytest.raises(SettingsError, match="color, tilt, front, updown"):
        targets(scene, "sideways")


def test_names_are_unique():
    other = replace(CAR, x=0.2, colour="blue")
    assert naming(scene_of(CAR), 0) == ("car", None)
    assert naming(scene_of(CAR, other), 0) == ("car", "red")
    assert naming(scene_of(CAR, other, replace(other, x=0.8)), 1) is None


@pytest.mark.parametrize("task", TASKS)
def test_cases_are_what_the_task_asks(task):
    found = scene_cases(12, 3, task)
    assert found == scene_cases(12, 3, task) and len({case.scene.index for case in found}) == 12
    for case in found:
        assert case.index in targets(case.scene, task) and case.scene.split == "test"
        thing = case.scene.objects[case.index]
        attribute, value = TASKS[task]
        assert set(case.change) == {attribute} and value in (None, case.change[attribute])
        assert getattr(thing, attribute) != case.change[attribute]
        assert thing.category in case.prompt and case.seed == case.scene.index
        alike = [other for other in case.scene.objects if other.category == thing.category]
        assert (f"the {thing.colour} {thing.category} changes" in case.prompt) == (len(alike) > 1)
    asked = {asked_change("color", CAR, np.random.default_rng(i))["colour"] for i in range(60)}
    assert asked == set(COLOURS) - {"red"}


# --- how an edit is measured -------------------------------------------------------------------------------------


def edited(case: SceneCase, image: Image.Image | None, **changes) -> SimpleNamespace:
    """The result of an editor that made `image`."""
    x0, y0, x1, y1 = mask_box(full_mask(case.scene, case.index))
    mask = Image.new("L", (case.scene.width, case.scene.height))
    mask.paste(255, (int(x0) - 30, int(y0) - 30, int(x1) + 30, int(y1) + 30))
    box = tuple(float(v) for v in boxes(case.scene)[case.index])
    return SimpleNamespace(**{"image": image, "mask": mask, "box": box, "status": "edited", "verified": True} | changes)


@pytest.fixture(scope="module")
def case():
    scene = scene_of(CAR, SceneObject("cup", "blue", "front", "upright", 0.15, 0.15, 0.25))
    return SceneCase("tilt", scene, 0, {"pose": "tilted"}, "the car changes to a car tilted slightly to the left", 0)


def test_a_perfect_edit_measures_perfectly(case):
    row = measure(case, render(case.scene), edited(case, ideal_edit(case.scene, 0, case.change)))
    assert row["target"] and row["success"] and row["kept"] and row["all_kept"]
    assert row["sharpness"] == 1 and row["background_changed"] == 0


def test_each_fault_is_measured(case):
    image, ideal = render(case.scene), ideal_edit(case.scene, 0, case.change)
    row = measure(case, image, edited(case, ideal_edit(case.scene, 0, {**case.change, "colour": "blue"})))
    assert row["success"] and not row["kept"] and not row["kept_if_seen"]
    row = measure(case, image, edited(case, render(replace(case.scene, objects=case.scene.objects[1:]))))
    assert not row["kept"] and "kept_if_seen" not in row, "nothing is left that could be kept"
    row = measure(case, image, edited(case, ideal.filter(ImageFilter.GaussianBlur(2))))
    assert row["sharpness"] < 0.5 and row["background_changed"] > 0
    touched = ideal.copy()
    touched.putpixel((3, 250), (1, 2, 3))
    assert measure(case, image, edited(case, touched))["background_changed"] == 1
    wrong_box = tuple(boxes(case.scene)[1].tolist())
    assert not measure(case, image, edited(case, ideal, box=wrong_box))["target"]
    nothing = edited(case, None, mask=None, box=None, status="not_found", verified=False)
    row = measure(case, image, nothing)
    assert not row["target"] and not row["success"] and "kept" not in row and row["background_changed"] == 0


def test_summary_counts_what_was_not_found_as_failure(case):
    image, ideal = render(case.scene), ideal_edit(case.scene, 0, case.change)
    good = measure(case, image, edited(case, ideal))
    missing = measure(case, image, edited(case, None, mask=None, box=None, status="not_found", verified=False))
    figures = summary([good, good, good, missing])
    assert figures["tilt"] == 0.75 and figures["target"] == 0.75 and figures["kept"] == 1
    assert figures["statuses"] == {"edited": 3, "not_found": 1} and figures["edits"] == 4
    assert figures["verified_rightly"] == 1 and np.isnan(figures["color"])
    low, high = figures["intervals"]["tilt"]
    assert low < 0.75 < high
    sheet = contact_sheet([(case, image, good)] * 4, side=64)
    assert sheet.size == (3 * 204, 2 * 108)


def test_gradient_energy():
    steps = Image.fromarray(np.tile(np.array([0, 10, 0, 10], np.uint8), (4, 1)))
    everywhere, half = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    half[:, :2] = True
    assert gradient_energy(steps, everywhere) == pytest.approx(100 * 12 / 24)
    assert gradient_energy(steps, half) == pytest.approx(100 * 4 / 10)
    assert gradient_energy(steps, np.zeros((4, 4), bool)) == 0


def test_intervals_hold_the_mean():
    values = [0] * 40 + [1] * 60
    low, high = interval(values)
    assert 0.48 < low < 0.55 and 0.65 < high < 0.72
    assert interval(values) == interval(values)


def test_targets_of_drawn_scenes_show():
    left_out = 0
    for number in range(40):
        scene = make_scene(number, seed=8)
        visible, found = visible_masks(scene), targets(scene, "color")
        for i in range(len(scene.objects)):
            full = full_mask(scene, i)
            cut = full[0].any() or full[-1].any() or full[:, 0].any() or full[:, -1].any()
            assert (i in found) == (not cut and visible[i].sum() >= 0.7 * full.sum())
        left_out += len(scene.objects) - len(found)
    assert left_out > 10


def test_the_whole_editor_is_scored(models, tmp_path):
    figures = score_editor(models, count=1, seed=4, batch=4, out=tmp_path, progress=False, rounds=1, steps=4)
    assert figures["edits"] == 4 == sum(figures["statuses"].values())
    assert figures["background_changed"] == 0 and figures["seconds"] > 0
    assert {"target", "color", "updown", "tilt", "front", "kept", "sharpness"} <= figures["intervals"].keys()
    rows = [json.loads(line) for line in (tmp_path / "edits.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == list(TASKS)
    assert np.mean([row["target"] for row in rows]) == figures["target"]
    assert Image.open(tmp_path / "sheet.png").width > 1000
    with pytest.raises(SettingsError):
        score_editor(models, count=0)
