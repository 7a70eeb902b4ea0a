"""The figures of the measures, worked out by hand from what they are made of."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from textedit_lite.detect import Detections
from textedit_lite.resources import data_path
from textedit_lite.training import score_editor, score_masks, score_matching, score_oracle, vae
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.scenes import Scene, SceneObject, boxes, make_scene, visible_masks


def test_the_oracle_is_as_good_as_its_worse_side(monkeypatch, capsys):
    def row(edits, all=0.0, success=0.0, changed=0.0):
        read = dict.fromkeys(("category", "colour", "view", "pose"), 1.0)
        return {"edits": edits, **read, "all": all, "success": success, "changed": changed}

    kinds = {
        "ideal": row(10, all=0.9, success=0.8), "unedited": row(10, changed=0.1, all=0.3),
        "wrong colour": row(2, all=1.0, success=0.5), "other category": row(6, all=0.25, success=0.0),
        "blurred": row(5, success=0.6, all=0.1), "removed": row(4, all=0.75), "noise": row(12, all=0.25, success=0.9),
    }  # fmt: skip
    monkeypatch.setattr(score_oracle, "confusion", lambda *given: (kinds, {}))
    found = score_oracle.score_oracle(3, progress=False)
    assert found.pop("kinds") == kinds
    assert found == {"ideal": 0.8, "unedited": 0.9, "wrong": 0.3125, "empty": 0.375, "spoiled": 0.6}
    assert "| wrong colour | 2 |" in capsys.readouterr().err


def test_the_editors_figures_are_shares_but_for_the_sharpness():
    common = {"background_changed": 2, "status": "edited", "all_kept": True, "kept_if_seen": True}
    rows = [
        {"task": "tilt", "target": True, "success": True, "verified": True, "kept": True, "sharpness": 1.0, **common},
        {"task": "tilt", "target": True, "success": False, "verified": False, "kept": False, "sharpness": 0.9, **common},
        {"task": "color", "target": True, "success": True, "verified": False, "kept": True, "sharpness": 0.1, **common},
        {"task": "color", "target": False, "success": False, "verified": False, **common},
    ]
    found = score_editor.summary(rows)
    assert (found["tilt"], found["color"], found["target"], found["verified_rightly"]) == (0.5, 0.5, 0.75, 0.75)
    assert found["kept"] == pytest.approx(2 / 3, abs=1e-4) and found["sharpness"] == 0.9 and found["background_changed"] == 8


def test_an_expression_is_right_by_way_and_a_question_is_not_unasked():
    def row(kind, *answers):
        return {"kind": kind} | {way: {"right": right, "status": status} for way, (right, status) in zip(score_matching.WAYS, answers)}

    kind, other = score_matching.KINDS[:2]
    found = score_matching.summary([
        row(kind, (True, "found"), (True, "ambiguous"), (False, "found")), row(kind, (False, "found"), (True, "found"), (True, "found")),
        row(other, (False, "not_found"), (True, "found"), (False, "ambiguous")), row(other, *[(True, "found")] * 3),
    ])  # fmt: skip
    plain, crop, patches = score_matching.WAYS
    assert [found["kinds"][name]["expressions"] for name in (kind, other, "all")] == [2, 2, 4]
    assert [found["kinds"]["all"][way] for way in (plain, crop, patches)] == [0.5, 1.0, 0.5]
    assert found["kinds"][other][crop] == 1.0 and found["kinds"][kind][patches] == 0.5
    assert found["asks"] == {plain: 0, crop: 0.25, patches: 0.25}
    assert found["right_unasked"] == {plain: 0.5, crop: 0.75, patches: 0.5}


def test_each_way_to_match_looks_as_it_says_and_takes_the_best_of_what_it_would_ask_about(monkeypatch):
    asked = []
    candidates = [SimpleNamespace(fits=fits, score=score, box=(0, 0, 1, 1)) for fits, score in ((True, 0.4), (True, 0.6), (False, 0.9))]
    chosen = SimpleNamespace(status="ambiguous", index=0, candidates=candidates)
    monkeypatch.setattr(score_matching, "candidate_features", lambda image, boxes, models, by: by)
    monkeypatch.setattr(score_matching, "match_features", lambda features, *given, relations: asked.append((features, relations)) or chosen)
    scene = make_scene(0)
    detections = Detections(np.zeros((3, 4), np.float32), np.ones(3, np.float32), ("car",) * 3, 0.5)
    (row, *_) = score_matching._rows(scene, None, detections, None, 0)
    assert asked[:3] == [("crop", False), ("crop", True), ("patches", True)]
    assert [row[way]["index"] for way in score_matching.WAYS] == [1, 1, 1]


def test_the_masks_figures_count_the_pixels_of_others(monkeypatch):
    """A detector that sees the left of two neighbours rightly and the right one not, and shapes that are right but for one row."""
    things = [SceneObject("suitcase", "red", "front", "upright", x, 0.5, 0.3) for x in (0.4, 0.6)]
    scene = Scene("test", 0, 0, 128, 128, Background("gradient", 5, None), tuple(things))
    truth = visible_masks(scene).astype(bool)
    found = Detections(boxes(scene)[:1].astype(np.float32), np.ones(1, np.float32), ("suitcase",), 0.5)
    bottom = np.nonzero(truth[0])[0].max()

    def shapes(image, given, kind, models):
        answers = truth[: len(given)].copy()
        answers[0, bottom] = False
        return answers

    monkeypatch.setattr(score_masks, "walk", lambda *given: [(scene, None, truth, found)])
    monkeypatch.setattr(score_masks, "shapes", shapes)
    monkeypatch.setattr(score_masks, "targets", lambda scene, task: [0, 1])
    figures = score_masks.score_masks(SimpleNamespace(detr=None, detr_processor=None, has_segmenter=lambda kind: kind == "sam"), 1)
    part = 1 - truth[0, bottom].sum() / truth[0].sum()
    assert figures["iou"]["sam"] == pytest.approx((part + 1) / 2, abs=1e-4) and figures["iou_detr"]["sam"] == pytest.approx(part, abs=1e-4)
    assert figures["objects"] == 2
    mask = np.asarray(score_masks.task_mask(scene, 0, "color", found.boxes, 0, shapes(None, found.boxes, "sam", None), "box")) > 0
    covered = (truth[1] & mask).sum() / truth[1].sum()
    assert figures["covered"]["color"]["box"] == pytest.approx(covered, abs=1e-4) and covered > 0
    assert figures["covered"]["color"]["sam"] < figures["covered"]["color"]["box"] and figures["touched"]["color"]["box"] == 1


def test_what_a_task_would_repaint_turns_with_the_object_and_leaves_the_others_out(monkeypatch):
    given = []
    monkeypatch.setattr(score_masks, "fit", lambda mask, box, *rest: given.append(rest) or (mask, None))
    tilted = SceneObject("car", "red", "side", "tilted", 0.5, 0.5, 0.36)
    scene = Scene("test", 0, 0, 128, 128, Background("gradient", 5, None), (tilted,))
    answers = np.arange(3)
    for task in ("tilt", "updown", "front", "color"):
        score_masks.task_mask(scene, 0, task, np.full((3, 4), (30.0, 30, 90, 90)), 1, answers, "sam")
    assert [(shape, others) for shape, others, _ in given] == [(1, [0, 2])] * 4
    degrees = score_masks.POSE_DEGREES
    assert [one for *_, one in given] == [0, degrees["upside down"] - degrees["tilted"], None, 0]


def test_the_autoencoder_is_measured_on_the_painters_windows_each_as_much_as_any_other(monkeypatch):
    seen = []
    monkeypatch.setattr(vae, "psnr", lambda model, pixels: seen.append(pixels) or float(len(pixels)))
    module = importlib.import_module("textedit_lite.training.score")
    monkeypatch.setattr(module, "BATCH", 2)
    found = module.vae(data_path("models", "lite", "inpaint"), 3, progress=False)
    assert [tuple(one.shape) for one in seen] == [(2, 3, 112, 112), (1, 3, 112, 112)] and -1 <= seen[0].min() < 0 < seen[0].max() <= 1
    assert found == {"psnr": round((2 * 2 + 1) / 3, 2)}
