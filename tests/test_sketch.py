"""The sketch: a background that is guessed, colours that move, objects that turn, and nothing outside of the mask."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from textedit_lite.mask import build_mask
from textedit_lite.segment import DILATE, dilate
from textedit_lite.sketch import _lookup, emptied, fill_in, recolour, sketch
from textedit_lite.vocabulary import COLOUR_RGB
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.oracle import judge
from textedit_lite.world.scenes import Scene, SceneObject, boxes, ideal_edit, make_scene, render, visible_masks
from textedit_lite.world.sprites_pen import _tones

NOW = {"colour": "blue", "view": "side", "pose": "upright"}
CAR = SceneObject("car", "blue", "side", "upright", 0.5, 0.5, 0.4)
SCENE = Scene("test", 0, 0, 256, 256, Background("gradient", 5, None), (CAR,))


def sketched(change: dict, scene: Scene = SCENE) -> tuple[Image.Image, np.ndarray, Image.Image | None]:
    image, box = render(scene), boxes(scene)[0]
    mask = build_mask(image.size, box, change.get("pose"))
    return image, np.asarray(mask) > 0, sketch(image, mask, box, NOW, NOW | change)


def test_with_its_shape_the_object_turns_and_what_stands_beside_it_does_not():
    beside = SceneObject("cup", "red", "side", "upright", 0.68, 0.62, 0.16)
    scene = dataclasses.replace(SCENE, objects=(dataclasses.replace(CAR, size=0.34), beside))
    image, box = render(scene), boxes(scene)[0]
    mask = build_mask(image.size, box, "upside down")
    wanted = np.asarray(ideal_edit(scene, 0, {"pose": "upside down"}), float)
    shape = Image.fromarray(np.where(visible_masks(scene)[0], 255, 0).astype(np.uint8))
    left, told = (sketch(image, mask, box, NOW, NOW | {"pose": "upside down"}, one) for one in (None, shape))
    cup = visible_masks(scene)[1] > 0
    errors = [np.abs(np.asarray(drawn, float) - wanted) for drawn in (left, told)]
    assert errors[1][cup].mean() < 0.5 * errors[0][cup].mean() and errors[1].mean() < 0.8 * errors[0].mean()


def beside_another() -> tuple[Image.Image, Image.Image, tuple, np.ndarray, Image.Image, Image.Image]:
    """(picture, mask, box, the neighbour, what may be the object, what is the neighbour's) of a red block that touches a blue one."""
    pixels = np.full((120, 160, 3), 120, np.uint8)
    thing, other = np.zeros((2, 120, 160), bool)
    thing[30:90, 50:80], other[30:90, 80:130] = True, True
    pixels[thing], pixels[other] = (200, 40, 30), (30, 60, 220)
    shape, others = (Image.fromarray(np.uint8(255) * part) for part in (dilate(thing, DILATE * 60), other))
    mask = Image.new("L", (160, 120))
    mask.paste(255, (20, 20, 110, 100))
    return Image.fromarray(pixels), mask, (50, 30, 80, 90), other, shape, others


def test_a_neighbour_stays_and_does_not_run_into_the_place_that_an_object_leaves():
    image, mask, box, other, shape, others = beside_another()
    now = {"colour": "red", "view": "side", "pose": "upright"}
    lone, told = (np.asarray(sketch(image, mask, box, now, now | {"pose": "tilted"}, shape, one), int) for one in (None, others))
    left = np.zeros_like(other)
    left[32:37, 75:79] = True  # where the block no longer is
    bluish = [drawn[..., 2] - drawn[..., 0] for drawn in (lone, told)]
    assert bluish[0][left].mean() > 20 and np.abs(told[left] - 120).max() < 8
    corner = np.s_[30:44, 80:84]  # of the neighbour, which the turned block does not reach
    assert (told[corner] == np.asarray(image)[corner]).all() and (lone[corner] != np.asarray(image)[corner]).any()
    carried = ~other & (bluish[1] > 40)
    assert not carried.any() and (~other & (bluish[0] > 40)).any()


def test_an_object_taken_out_leaves_the_ground_and_its_neighbours():
    image, mask, box, other, shape, others = beside_another()
    empty = np.asarray(emptied(image, mask, box, shape, others), int)
    assert (empty[other] == np.asarray(image)[other]).all()
    assert np.abs(empty[~other] - 120).max() < 3
    assert np.abs(np.asarray(emptied(image, mask, box, shape), int)[30:90, 50:80] - 120).max() > 40  # whose blue runs in
    large = [picture.resize((1600, 1200), Image.Resampling.NEAREST) for picture in (image, mask, shape, others)]
    again = emptied(*large[:2], tuple(10 * v for v in box), *large[2:])
    assert np.abs(np.asarray(again.reduce(10), int) - empty).mean() < 1
    outside = np.asarray(large[2]) == 0
    assert (np.asarray(again)[outside] == np.asarray(large[0])[outside]).all()


def test_what_looks_as_its_background_does_is_the_objects_all_the_same():
    """On a light ground, between a white car's body and its outline lie pixels of the ground's own shade."""
    scene = make_scene(22, "train", 5)
    image, box, shape = render(scene), boxes(scene)[4], visible_masks(scene)[4] > 0
    assert scene.objects[4].colour == "white"
    now = {name: getattr(scene.objects[4], name) for name in ("colour", "view", "pose")}
    dilated = Image.fromarray((255 * dilate(shape, DILATE * max(box[2:] - box[:2]))).astype(np.uint8))
    purple = sketch(image, build_mask(image.size, box), box, now, now | {"colour": "purple"}, dilated)
    drawn, ideal = (np.asarray(picture, int) for picture in (purple, ideal_edit(scene, 4, {"colour": "purple"})))
    left_white = shape & (np.ptp(ideal, axis=-1) > 60) & (np.ptp(drawn, axis=-1) < 20)
    assert left_white.sum() < 0.005 * shape.sum()


def test_grey_parts_stay_grey_and_highlights_come_along():
    image, _, drawn = sketched({"colour": "red"})
    before, after, ideal = (np.asarray(picture, float) for picture in (image, drawn, ideal_edit(SCENE, 0, {"colour": "red"})))
    shape = visible_masks(SCENE)[0] > 0
    tyres = shape & (np.abs(before - _tones("blue")["tyre"]).max(-1) < 6)
    highlights = shape & (np.abs(before - _tones("blue")["light"]).max(-1) < 12)
    assert tyres.sum() > 100 and np.abs(after - ideal)[tyres].mean() < 3
    assert highlights.sum() > 20 and np.abs(after - ideal)[highlights].mean() < 12
    assert ((after - ideal)[shape] ** 2).mean() < 60


def test_a_large_picture_is_sketched_as_its_small_one_is():
    large = dataclasses.replace(SCENE, width=2048, height=2048)
    for change in ({"colour": "red"}, {"pose": "upside down"}, {"colour": "white", "pose": "tilted"}):
        small, big = (sketched(change, scene)[2] for scene in (SCENE, large))
        shrunk = np.asarray(big.resize(small.size, Image.Resampling.LANCZOS), float)
        assert np.abs(shrunk - np.asarray(small, float)).mean() < 2.5


def test_a_hole_in_a_plain_ground_takes_its_colour():
    pixels = np.full((23, 37, 3), (10.0, 120.0, 200.0), np.float32)
    hole = np.zeros((23, 37), bool)
    hole[5:18, 8:30] = True
    spoilt = np.where(hole[..., None], 255, pixels)
    assert np.allclose(fill_in(spoilt, hole), pixels, atol=1e-3)


def test_a_hole_between_two_colours_is_filled_from_one_to_the_other():
    pixels = np.repeat(np.linspace(0, 200, 41, dtype=np.float32)[None, :, None], 21, 0).repeat(3, 2)
    hole = np.zeros((21, 41), bool)
    hole[4:17, 10:31] = True
    filled = fill_in(np.where(hole[..., None], 0, pixels), hole)
    assert np.abs(filled - pixels)[hole].mean() < 20
    assert filled[10, 11, 0] + 40 < filled[10, 29, 0]
    assert np.array_equal(filled[~hole], pixels[~hole])


def test_what_is_all_known_or_all_unknown_stays():
    pixels = np.random.default_rng(0).uniform(0, 255, (8, 9, 3)).astype(np.float32)
    for hole in (np.zeros((8, 9), bool), np.ones((8, 9), bool)):
        assert np.array_equal(fill_in(pixels, hole), pixels)


@pytest.mark.parametrize("old", COLOUR_RGB)
@pytest.mark.parametrize("new", COLOUR_RGB)
def test_every_colour_becomes_every_other(old, new):
    painted = recolour(np.array([[COLOUR_RGB[old]]], np.float32), old, new)[0, 0]
    nearest = min(COLOUR_RGB, key=lambda name: np.abs(painted - COLOUR_RGB[name]).sum())
    assert nearest == new


def test_a_window_keeps_its_colour():
    window = np.array([[(190, 215, 230)]], np.float32)
    assert np.abs(recolour(window, "red", "green") - window).max() < 25


@pytest.mark.parametrize(("old", "new"), [("white", "red"), ("white", "black"), ("black", "yellow"), ("blue", "black"), ("red", "white")])
def test_outlines_become_those_of_the_new_colour_without_a_seam(old, new):
    """A row of pixels from an outline to the body, as smooth on the way as one drawn in the new colour."""
    outline, body = (np.array(_tones(old)[name], np.float32) for name in ("line", "body"))
    t = np.linspace(0, 1, 21, dtype=np.float32)[:, None]
    got = recolour(outline + t * (body - outline), old, new)
    outline, body = (np.array(_tones(new)[name], np.float32) for name in ("line", "body"))
    assert np.abs(got - (outline + t * (body - outline))).max() < 26


def test_a_sky_beside_what_is_white_stays():
    sky = np.array([[(205, 222, 240)]], np.float32)
    assert np.abs(recolour(sky, "white", "red") - sky).max() < 1


@pytest.mark.parametrize(("old", "new"), [("white", "orange"), ("black", "green"), ("blue", "black"), ("white", "black")])
def test_white_and_black_are_sketched_near_the_ideal(old, new):
    scene = dataclasses.replace(SCENE, objects=(dataclasses.replace(CAR, colour=old),))
    image, box = render(scene), boxes(scene)[0]
    mask = build_mask(image.size, box)
    drawn = sketch(image, mask, box, NOW | {"colour": old}, NOW | {"colour": new})
    verdict = judge(scene, 0, {"colour": new}, drawn)
    assert verdict.success and verdict.likeness > 0.75


@pytest.mark.parametrize("change", [{"colour": "red"}, {"pose": "tilted"}, {"pose": "upside down"}])
def test_a_sketch_is_near_the_ideal_edit_and_only_inside_of_the_mask(change):
    image, inside, drawn = sketched(change)
    before, after = np.asarray(image, float), np.asarray(drawn, float)
    ideal = np.asarray(ideal_edit(SCENE, 0, change), float)
    assert np.array_equal(before[~inside], after[~inside])
    assert np.abs(after - ideal)[inside].mean() < 0.4 * np.abs(before - ideal)[inside].mean()


def test_a_turn_needs_no_colour():
    image, box = render(SCENE), boxes(SCENE)[0]
    mask = build_mask(image.size, box, "tilted")
    bare = {"view": "side", "pose": "upright"}
    turned = sketch(image, mask, box, bare, bare | {"pose": "tilted"})
    assert turned.tobytes() == sketch(image, mask, box, NOW, NOW | {"pose": "tilted"}).tobytes()


@pytest.mark.parametrize(("before", "after"), [("tilted", "upright"), ("tilted", "upside down"), ("upside down", "tilted")])
def test_an_object_turns_from_the_pose_that_it_has(before, after):
    scene = dataclasses.replace(SCENE, objects=(dataclasses.replace(CAR, category="bus", pose=before),))
    image, box, ideal = render(scene), boxes(scene)[0], np.asarray(ideal_edit(scene, 0, {"pose": after}), float)
    mask = build_mask(image.size, box, "tilted")
    inside = np.asarray(mask) > 0
    drawn = sketch(image, mask, box, NOW | {"pose": before}, NOW | {"pose": after})
    left, wrong = (np.abs(np.asarray(one, float) - ideal)[inside].mean() for one in (drawn, image))
    assert left < 0.6 * wrong


def test_a_large_block_without_a_known_shape_is_told_from_its_ground():
    """Around the mask lies ground that shows, however much smaller the picture is in which it is looked at."""
    image = Image.new("RGB", (1600, 1600), (120, 120, 120))
    image.paste(COLOUR_RGB["blue"], (350, 450, 1250, 1150))
    mask = Image.new("L", image.size)
    mask.paste(255, (50, 50, 1550, 1550))
    drawn = sketch(image, mask, (350, 450, 1250, 1150), NOW, NOW | {"colour": "red"})
    assert np.abs(np.array(drawn.getpixel((800, 800))) - COLOUR_RGB["red"]).max() < 12
    assert drawn.getpixel((100, 800)) == (120, 120, 120)


def test_what_cannot_be_sketched_is_not():
    assert sketched({"view": "front"})[2] is None
    assert sketched({})[2] is None
    assert sketched({"colour": "pink"})[2] is None


def test_a_mask_at_the_border_is_no_trouble():
    corner = Scene("test", 0, 0, 200, 120, Background("gradient", 5, None), (SceneObject("car", "blue", "side", "upright", 0.1, 0.1, 0.5),))
    image, inside, drawn = sketched({"pose": "upside down"}, corner)
    assert drawn.size == image.size
    assert np.array_equal(np.asarray(image)[~inside], np.asarray(drawn)[~inside])


@pytest.mark.parametrize(("old", "new"), [("red", "blue"), ("green", "black"), ("orange", "purple"), ("yellow", "white")])
def test_the_table_recolours_a_large_object_as_the_formula_does(old, new):
    scene = Scene("test", 0, 0, 256, 256, Background("gradient", 5, None), (SceneObject("car", old, "side", "upright", 0.5, 0.5, 0.8),))
    picture = render(scene)
    before = np.asarray(picture, np.float32)
    exact, table = recolour(before, old, new).clip(0, 255), np.asarray(picture.filter(_lookup(old, new)), np.float32)
    changed = np.abs(exact - before).max(-1) > 10
    assert changed.mean() > 0.1
    assert np.abs(table - exact)[changed].mean() < 1 and np.abs(table - exact).max() < 12
