"""Box arithmetic and the crops that stand on it, against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from textedit_lite.boxes import (
    CROP,
    area,
    clip_boxes,
    context_window,
    crop,
    cxcywh_to_xyxy,
    grow_box,
    iou,
    rotated,
    scale_boxes,
    square_crop,
    xyxy_to_cxcywh,
    zoom,
)


def ramp(width: int, height: int) -> Image.Image:
    """A picture that tells where each of its pixels is: red is x, green is y, both modulo 256."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x % 256, y % 256, 0 * x], -1).astype(np.uint8))


# --- arithmetic --------------------------------------------------------------------------------------------------


def test_centre_and_size_become_corners_and_back():
    assert cxcywh_to_xyxy([[10, 20, 4, 6]]).tolist() == [[8, 17, 12, 23]]
    assert xyxy_to_cxcywh([[8, 17, 12, 23]]).tolist() == [[10, 20, 4, 6]]
    assert cxcywh_to_xyxy([0.5, 0.5, 1, 1]).tolist() == [0, 0, 1, 1]  # a single box keeps its shape
    assert cxcywh_to_xyxy(np.zeros((0, 4))).shape == (0, 4)


def test_no_boxes_share_nothing():
    assert iou(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
    assert iou([], []).shape == (0, 0)


def test_iou_by_hand():
    a = [[0, 0, 10, 10], [20, 20, 30, 30]]
    b = [[5, 0, 15, 10], [0, 0, 10, 10], [10, 0, 20, 10]]
    expected = [[50 / 150, 1, 0], [0, 0, 0]]  # those that touch share no area
    assert np.allclose(iou(a, b), expected)
    assert iou(a, b).dtype == np.float32


def test_iou_of_empty_and_inverted_boxes_is_zero():
    assert iou([[5, 5, 5, 5]], [[5, 5, 5, 5]])[0, 0] == 0
    assert iou([[9, 9, 1, 1]], [[0, 0, 10, 10]])[0, 0] == 0
    assert area([[9, 9, 1, 1], [0, 0, 2, 3]]).tolist() == [0, 6]


def test_boxes_end_at_the_picture():
    assert clip_boxes([[-5, -1, 300, 100]], (257, 193)).tolist() == [[0, 0, 257, 100]]


def test_scaling_keeps_x_and_y_apart():
    assert scale_boxes([[1, 1, 2, 2]], (2, 4), (200, 100)).tolist() == [[100, 25, 200, 50]]
    there = scale_boxes([[3, 5, 70, 91]], (257, 193), (1066, 800))
    assert np.allclose(scale_boxes(there, (1066, 800), (257, 193)), [[3, 5, 70, 91]], atol=1e-4)


def test_a_mask_box_reaches_beyond_its_box_by_a_share_of_the_longest_side():
    assert grow_box([100, 100, 200, 150], (400, 400), 0.1) == (90, 90, 210, 160)
    assert grow_box([100.4, 100, 200, 150], (400, 400), 0.0) == (100, 100, 200, 150)  # rounded outwards
    assert grow_box([2, 0, 102, 50], (100, 55), 0.1) == (0, 0, 100, 55)


def test_a_turned_box_holds_the_turned_object():
    box, degrees = (100, 100, 200, 120), 24.0
    x0, y0, x1, y1 = grow_box(box, (400, 400), 0.0, degrees)
    t = math.radians(degrees)
    corners = [(dx * math.cos(t) - dy * math.sin(t), dx * math.sin(t) + dy * math.cos(t))
               for dx in (-50, 50) for dy in (-10, 10)]  # fmt: skip
    assert all(x0 <= 150 + x <= x1 and y0 <= 110 + y <= y1 for x, y in corners)
    assert (x1 - x0) - (100 * math.cos(t) + 20 * math.sin(t)) < 2.01  # and no larger than need be
    assert (y1 - y0) - (100 * math.sin(t) + 20 * math.cos(t)) < 2.01


# --- windows -----------------------------------------------------------------------------------------------------


def test_the_window_is_square_and_centred():
    assert context_window((100, 110, 160, 140), (400, 300), ratio=2) == (70, 65, 190, 185)


def test_the_window_is_pushed_inside():
    assert context_window((0, 0, 60, 30), (400, 300), ratio=2) == (0, 0, 120, 120)
    assert context_window((340, 270, 400, 300), (400, 300), ratio=2) == (280, 180, 400, 300)


def test_the_window_of_something_tiny_has_a_least_size():
    x0, y0, x1, y1 = context_window((50, 50, 51, 51), (400, 300))
    assert (x1 - x0, y1 - y0) == (32, 32)


def test_a_window_larger_than_the_picture_is_centred_on_it():
    assert context_window((0, 0, 400, 40), (400, 40), ratio=1.5) == (-100, -280, 500, 320)


@pytest.mark.parametrize("size", [(257, 193), (1000, 16), (16, 1000), (64, 64)])
def test_the_window_always_holds_the_mask_and_the_ring_around_it(size):
    rng = np.random.default_rng(1)
    for _ in range(200):
        (x0, x1), (y0, y1) = (sorted(rng.integers(0, extent + 1, 2)) for extent in size)
        if x0 == x1 or y0 == y1:
            continue
        wx0, wy0, wx1, wy1 = context_window((x0, y0, x1, y1), size)
        assert wx1 - wx0 == wy1 - wy0 >= max(x1 - x0, y1 - y0)
        # One pixel around the mask is seen, wherever the picture has one.
        assert wx0 <= max(x0 - 1, 0) and wy0 <= max(y0 - 1, 0)
        assert wx1 >= min(x1 + 1, size[0]) and wy1 >= min(y1 + 1, size[1])


@pytest.mark.parametrize("degrees", [24.0, -24.0, 156.0])
def test_a_part_of_a_large_picture_turns_as_the_whole_does(degrees):
    """Where the part's own layer shows, every channel of both is the same."""
    pixels = np.random.default_rng(0).integers(0, 256, (900, 800, 4), np.uint8)
    pixels[..., 3] = 0
    pixels[250:700, 200:520, 3] = 255
    picture = Image.merge("RGBX", Image.fromarray(pixels).split())
    whole, part = (np.asarray(rotated(picture, degrees, (410.5, 440.2), *only)) for only in ((), (picture.getchannel(3).getbbox(),)))
    shown = whole[..., 3] > 0
    assert 100_000 < shown.sum() < shown.size and np.array_equal(shown, part[..., 3] > 0)
    assert np.array_equal(whole[shown], part[shown])


# --- crops -------------------------------------------------------------------------------------------------------


def test_a_crop_inside_is_the_picture_itself():
    assert np.asarray(crop(ramp(100, 80), (10, 20, 13, 22)))[..., :2].tolist() == [
        [[10, 20], [11, 20], [12, 20]], [[10, 21], [11, 21], [12, 21]]]  # fmt: skip


def test_a_crop_beyond_the_border_repeats_the_edge():
    pixels = np.asarray(crop(ramp(100, 80), (-2, 78, 2, 82)))
    assert pixels.shape == (4, 4, 3)
    assert pixels[:, :, 0].tolist() == [[0, 0, 0, 1]] * 4
    assert pixels[:, 0, 1].tolist() == [78, 79, 79, 79]
    assert crop(Image.new("L", (10, 10), 7), (-5, -5, 5, 5)).getextrema() == (7, 7)


def test_zooming_inside_is_cropping_and_resizing():
    image = ramp(200, 150)
    expected = image.crop((20, 30, 120, 130)).resize((50, 50), Image.Resampling.LANCZOS, reducing_gap=3)
    assert zoom(image, (20, 30, 120, 130), 50).tobytes() == expected.tobytes()


def test_zooming_beyond_the_border_keeps_everything_in_its_place():
    window = (-56, -28, 168, 196)  # two pixels of the picture for each of the result
    pixels = np.asarray(zoom(ramp(200, 150), window, 112), np.float32)
    assert np.abs(pixels[20, 28:, 0] - (2 * np.arange(28, 112) - 56 + 0.5)).max() <= 1.5
    assert np.abs(pixels[14:89, 60, 1] - (2 * np.arange(14, 89) - 28 + 0.5)).max() <= 1.5
    assert (pixels[:, :28, 0] == pixels[:, 28:29, 0]).all() and (pixels[89:] == pixels[88:89]).all()
    black = np.asarray(zoom(Image.new("L", (200, 150), 255), window, 112, mode="constant"))
    assert (black[14:89, 28:] == 255).all() and not black[:14].any() and not black[89:].any() and not black[:, :28].any()


def test_the_window_of_a_panorama_is_not_unfolded():
    panorama = ramp(40_000, 16)  # its window has 2.8 thousand million pixels
    window = context_window((0, 0, 40_000, 16), panorama.size)
    assert zoom(panorama, window, 112).size == (112, 112)
    assert np.asarray(zoom(Image.new("L", panorama.size, 255), window, 112, mode="constant")).any()


def test_the_square_that_clip_sees():
    shown = np.asarray(square_crop(ramp(200, 150), np.array([50, 60, 90, 80]), 1.5))
    assert shown.shape == (60, 60, 3)
    assert shown[0, 0, :2].tolist() == [40, 40] and shown[-1, -1, :2].tolist() == [99, 99]


def test_the_square_of_a_box_at_the_very_border_or_without_area():
    image = ramp(64, 48)
    assert square_crop(image, np.array([60, 40, 64, 48]), 4).size == (32, 32)
    assert square_crop(image, np.array([64, 48, 64, 48])).size == (2, 2)
    assert square_crop(image, np.array([-500, -500, -400, -400])).size == (115, 115)


def test_the_square_of_a_huge_box_is_scaled_down():
    image = Image.new("RGB", (3000, 600), "red")
    assert square_crop(image, np.array([0, 0, 580, 100])).size == (667, 667)
    for side in (600, 900, 3000):
        width, height = square_crop(image, np.array([0, 0, side, 100])).size
        assert width == height and CROP / 2 < width <= CROP


def test_a_crop_made_smaller_is_the_mean_of_its_pixels_and_stays_in_its_place():
    image = ramp(200, 150)
    assert crop(image, (20, 30, 80, 90), 3).tobytes() == image.reduce(3, (20, 30, 80, 90)).tobytes()
    for window in ((-12, 60, 120, 192), (-13, -10, 119, 122), (100, 90, 232, 222)):
        small, whole = crop(image, window, 4), crop(image, window)
        assert small.size == (33, 33)
        assert np.abs(np.asarray(small, float) - np.asarray(whole.reduce(4), float)).max() <= 4  # less than one of its pixels


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_half_a_turn_of_many_pixels_moves_them(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (810, 820, 3), np.uint8)
    picture, centre = Image.fromarray(pixels).convert(mode), (400.2, 420.4)
    turned, known = np.asarray(rotated(picture, -180, centre)), np.asarray(picture)
    for x, y in ((0, 40), (799, 800), (333, 500)):
        assert (turned[y, x] == known[840 - y, 799 - x]).all()  # about (400, 420.5)
    assert not turned[:30].any() and not turned[:, 801:].any()
