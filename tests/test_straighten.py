"""Straightening: what leans stands upright for the painter, and comes back leaning, with nothing else touched."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from textedit_lite.boxes import context_window
from textedit_lite.editor import Find, Stage, algorithm_1
from textedit_lite.inpaint import Painting
from textedit_lite.mask import build_mask
from textedit_lite.plan import make_plan
from textedit_lite.prompt import parse
from textedit_lite.settings import make_settings
from textedit_lite.straighten import straighten
from textedit_lite.vocabulary import POSE_DEGREES, TILT_DEGREES
from textedit_lite.wish import make_wish
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.scenes import Scene, SceneObject, boxes, render, visible_masks

PLACES = [(0.5, 0.5), (0.12, 0.1), (0.9, 0.88), (0.02, 0.5)]  # the last ones reach beyond the border


def scene(pose: str = "tilted", place=(0.5, 0.5), category: str = "bus", size=(256, 256)) -> Scene:
    thing = SceneObject(category, "blue", "side", pose, *place, 0.35)
    return Scene("test", 0, 0, *size, Background("gradient", 5, None), (thing,))


def case(place=(0.5, 0.5), pose: str = "tilted", size=(256, 256)):
    """(picture, box, mask as the editor builds it, straightened surroundings)."""
    leaning = scene(pose, place, size=size)
    image, box = render(leaning), boxes(leaning)[0]
    return image, box, build_mask(image.size, box, view="front"), straighten(image, box, POSE_DEGREES[pose])


@pytest.mark.parametrize("category", ["bus", "cup", "teddy bear", "airplane"])
def test_what_leans_stands_upright(category):
    leaning, upright = scene("tilted", category=category), scene("upright", category=category)
    image, box = render(leaning), boxes(leaning)[0]
    straight = straighten(image, box, TILT_DEGREES)
    plain = straighten(image, box, 0.0)
    wanted = straighten(render(upright), box, 0.0)  # the same window of the scene in which it stands upright

    def off(one):
        """The difference at the best of nearby places: a tilted box's middle is not quite the upright one's."""
        half, there = one.image.width // 2, wanted.image.width // 2
        cut = [np.asarray(p.image.crop((h - 40, h - 40, h + 40, h + 40)), float) for p, h in ((one, half), (wanted, there))]
        shifts = [(dx, dy) for dx in range(-9, 10, 3) for dy in range(-9, 10, 3)]
        return min(np.abs(np.roll(cut[0], shift, (1, 0)) - cut[1]).mean() for shift in shifts)

    assert off(straight) < 0.75 * off(plain)


@pytest.mark.parametrize("size", [(256, 256), (201, 333)])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("pose", ["tilted", "upside down"])
def test_outside_of_the_mask_nothing_changes_and_inside_it_comes_back_as_it_leant(place, pose, size):
    image, box, square, straight = case(place, pose, size)
    mask = straight.within(square)
    where, allowed = np.asarray(mask) > 0, np.asarray(square) > 0
    assert mask.size == image.size and set(np.unique(mask)) == {0, 255} and not (where & ~allowed).any()
    black = Image.new("RGB", straight.image.size)
    gone = np.asarray(straight.back(image, black, mask, 0.0), int)
    assert (gone[~where] == np.asarray(image)[~where]).all() and (gone[where] < 3).all()
    same = np.asarray(straight.back(image, straight.image, mask), int)
    assert np.abs(same - np.asarray(image))[where].mean() < (0.001 if pose == "upside down" else 4)


@pytest.mark.parametrize("place", PLACES)
def test_a_large_object_is_turned_in_a_smaller_picture_and_comes_back_in_its_place(place, monkeypatch):
    image, box, square, straight = case(place, size=(2000, 2000))
    assert straight.times > 1 and straight.image.width < 1000
    mask = straight.within(square)
    where = np.asarray(mask) > 0
    assert mask.size == image.size and set(np.unique(mask)) == {0, 255} and not (where & ~(np.asarray(square) > 0)).any()
    same = np.asarray(straight.back(image, straight.image, mask), int)
    assert (same[~where] == np.asarray(image)[~where]).all()
    assert np.abs(same - np.asarray(image))[where].mean() < 4
    monkeypatch.setattr(sys.modules[straighten.__module__], "shrinkage", lambda longest, *_: 1)
    whole = straighten(image, box, TILT_DEGREES)
    exact = np.asarray(whole.within(square)) > 0
    assert whole.times == 1 and (exact & where).sum() > 0.98 * (exact | where).sum()


def test_the_mask_holds_the_object_and_less_than_the_square():
    leaning = scene()
    image, _, square, straight = case()
    mask = np.asarray(straight.within(square)) > 0
    thing = visible_masks(leaning)[0] > 0
    assert (thing & ~mask).sum() < 0.005 * thing.sum()
    assert 0.7 < mask.sum() / (np.asarray(square) > 0).sum() < 0.95


def test_the_masks_square_leans_as_the_object_does():
    image, box, _, straight = case()
    rows, columns = np.nonzero(np.asarray(straight.within(Image.new("L", image.size, 255))))
    x0, _, x1, _ = straight.mask.getbbox()
    corner = (x1 - x0) / np.sqrt(2) * np.array([np.cos(a := np.radians(45 + TILT_DEGREES)), -np.sin(a)])  # upright, its top right one
    top = columns[rows == rows.min()].mean() - (box[0] + box[2]) / 2, rows.min() - (box[1] + box[3]) / 2
    np.testing.assert_allclose(top, corner, atol=4)


def test_what_is_painted_on_top_leans_to_the_left():
    image, box, square, straight = case()
    half = straight.image.width // 2
    marked = straight.image.copy()
    marked.paste((255, 0, 255), (half - 4, half - 30, half + 4, half - 22))
    result = np.asarray(straight.back(image, marked, straight.within(square)), int)
    rows, columns = np.nonzero(np.abs(result - (255, 0, 255)).max(-1) < 60)
    x, y = columns.mean() - (box[0] + box[2]) / 2, rows.mean() - (box[1] + box[3]) / 2
    assert np.degrees(np.arctan2(-x, -y)) == pytest.approx(TILT_DEGREES, abs=3)
    assert np.hypot(x, y) == pytest.approx(26, abs=2)


def test_its_mask_is_a_square_in_the_middle():
    _, box, _, straight = case((0.02, 0.5))
    x0, y0, x1, y1 = straight.mask.getbbox()
    assert abs((x1 - x0) - (y1 - y0)) <= 1 and abs(x0 + x1 - straight.mask.width) <= 2
    assert (np.asarray(straight.mask)[y0:y1, x0:x1] == 255).all()


@pytest.mark.parametrize("grow", [0.0, 0.4])
@pytest.mark.parametrize("degrees", [TILT_DEGREES, 45.0, 180.0])
def test_what_the_painter_looks_at_is_all_picture(degrees, grow):
    """No corner that the turning left empty, and no edge that is repeated."""
    straight = straighten(Image.new("RGB", (300, 300), "white"), (100, 120, 200, 180), degrees, grow)
    x0, y0, x1, y1 = context_window(straight.mask.getbbox(), straight.image.size)
    assert 0 <= x0 and 0 <= y0 and x1 <= straight.image.width and y1 <= straight.image.height
    assert straight.image.getextrema() == ((255, 255),) * 3


# --- in the editor -----------------------------------------------------------------------------------------------


def asked(models, editor, image, prompt, answer=lambda job: job.image, **options):
    """(the first thing that is painted, the result), with a painter that paints what `answer` says."""
    first, algorithm = None, algorithm_1(image, parse(prompt), models, make_settings(models, prompt, rounds=1, **options))
    request = algorithm.send(None)
    try:
        while True:
            if isinstance(request, Find):
                request = algorithm.send(editor.detections(request.image))
            elif isinstance(request, Stage):
                request = algorithm.send(None)
            else:
                first = first or request
                request = algorithm.send([Painting(answer(job), job.seed) for job in request.jobs])
    except StopIteration as stop:
        return first, stop.value


@pytest.fixture(scope="module")
def editor(models):
    from textedit_lite.editor import Editor

    return Editor(models)


@pytest.mark.parametrize("pose", ["tilted", "upside down"])
def test_the_editor_paints_a_new_view_of_what_leans_upright(models, editor, pose):
    image = render(scene(pose))
    prompt = "the bus changes to a bus facing the front"
    paint, result = asked(models, editor, image, prompt, lambda job: Image.new("RGB", job.image.size))
    (job,) = paint.jobs
    assert job.description == "a blue bus facing the front upright" and job.image.size != image.size
    assert pose in result.description
    where = np.asarray(result.mask) > 0
    changed = (np.asarray(result.image) != np.asarray(image)).any(-1)
    assert not (changed & ~where).any() and changed.sum() > 0.8 * where.sum()


@pytest.mark.parametrize(
    ("pose", "prompt", "options"),
    [
        ("upright", "the bus changes to a bus facing the front", {}),
        ("tilted", "the bus becomes red", {}),
        ("tilted", "the bus becomes upside down", {}),
        ("tilted", "the bus changes to a bus facing the front", {"ablate": "straighten"}),
    ],
)
def test_nothing_else_is_straightened(models, editor, pose, prompt, options):
    image = render(scene(pose))
    paint, _ = asked(models, editor, image, prompt, **options)
    assert all(job.image is image for job in paint.jobs)


def test_a_plan_keeps_to_the_users_mask_grow_and_feather(models):
    image, box, square, _ = case()
    prompt = "the bus changes to a bus facing the front"
    wish = make_wish(image, box, parse(prompt), models)

    def planned(own=False, **options):
        return make_plan(image, square, box, wish, make_settings(models, prompt, **options), models, own)

    own = planned(own=True)
    assert own.straight is None and own.mask is square and own.job.image is image
    tight, loose = (planned(grow=grow, feather=0.3) for grow in (0.0, 0.3))
    (x0, _, x1, _), (u0, _, u1, _) = (plan.job.mask.getbbox() for plan in (tight, loose))
    assert (u1 - u0) - (x1 - x0) == pytest.approx(0.6 * max(box[2:] - box[:2]), abs=3)
    hard = replace(loose, settings=replace(loose.settings, feather=0.0))
    white = Painting(Image.new("RGB", loose.job.image.size, "white"), 0)
    assert hard.turned_back(white).image.tobytes() != loose.turned_back(white).image.tobytes()
    refused = loose.turned_back(Painting(Image.new("RGB", (9, 9)), 0, "No."))
    assert refused.image is image and refused.refused == "No."
