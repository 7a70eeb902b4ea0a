"""What a picture of many megapixels must not cost, and that what saves it changes nothing that can be seen."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter

from textedit_lite import blend
from textedit_lite.detect import detect_batch, reduced
from textedit_lite.editor import Editor
from textedit_lite.images import open_image
from textedit_lite.world.scenes import make_scene, render


def test_what_is_kept_of_a_start_is_the_formula():
    painted, through = (np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8) for seed in (1, 2))
    change = gaussian_filter(np.abs(painted.astype(float) - through).mean(-1), 2.0)
    np.testing.assert_allclose(blend.keep_start(painted, through, 2.0), np.exp(-((change / blend.CHANGED) ** 2)), rtol=1e-4)


def test_a_mixture_leaves_its_parts_as_they_were():
    before, after = np.full((4, 5, 3), 10.0, np.float32), np.full((4, 5, 3), 21.0, np.float32)
    weight = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    mixed = blend.mix(before, after, weight)
    np.testing.assert_array_equal(mixed[..., 0], np.rint(10 + 11 * weight))
    assert (before == 10).all() and (after == 21).all() and mixed.dtype == np.uint8


def place_of_an_oval(width: int, height: int) -> Image.Image:
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).ellipse((width // 8, height // 10, width * 3 // 4, height * 5 // 6), fill=255)
    return mask


def test_a_wide_feather_is_measured_in_a_smaller_picture():
    """It stays what the formula says, but for a twelfth at most and a fiftieth in the mean, and outside it is 0 exactly."""
    mask, radius = place_of_an_oval(1600, 1200), 70.0
    inside = np.asarray(mask) >= 128
    t = np.clip(distance_transform_edt(inside) / (radius + 1), 0, 1)
    weight = blend.feather(mask, radius)
    difference = (weight - np.where(inside, t * t * (3 - 2 * t), 0))[inside & (t < 1)]
    assert np.abs(difference).max() < 0.08 and abs(difference.mean()) < 0.02
    assert weight.dtype == np.float32 and (weight[~inside] == 0).all() and (weight == 1).any()


@pytest.mark.parametrize("width", [0.0, 0.02, 0.2])
def test_laid_in_is_mixed_by_the_feather_and_nothing_else_changes(width):
    rng = np.random.default_rng(3)
    before, after = (rng.integers(0, 256, (300, 400, 3), np.uint8) for _ in range(2))
    mask = place_of_an_oval(400, 300)
    x0, y0, x1, y1 = place = blend.place_of(mask)
    assert (x0 + 1, y0 + 1, x1 - 1, y1 - 1) == mask.getbbox()
    result = blend.lay_in(Image.fromarray(before), Image.fromarray(after[y0:y1, x0:x1]), mask, width)
    weight = blend.feather(mask.crop(place), width * min(x1 - x0 - 2, y1 - y0 - 2))
    expected = before.copy()
    expected[y0:y1, x0:x1] = blend.mix(before[y0:y1, x0:x1], after[y0:y1, x0:x1], weight)
    np.testing.assert_array_equal(np.asarray(result), expected)
    outside = np.asarray(mask) == 0
    assert (np.asarray(result)[outside] == before[outside]).all() and not (expected == before).all()


@pytest.mark.parametrize("width", [0.04, 0.1, 0.3])
@pytest.mark.parametrize("box", [(100, 80, 820, 720), (0, 80, 820, 800), (100, 0, 1000, 722)])
def test_a_large_box_fades_on_every_side_but_where_the_picture_ends(box, width):
    """Laid in is its place alone, of which but one pixel around the mask is outside, however wide the feather is."""
    mask = Image.new("L", (1000, 800))
    mask.paste(255, box)
    x0, y0, x1, y1 = blend.place_of(mask)
    laid = blend.lay_in(Image.new("RGB", mask.size), Image.new("RGB", (x1 - x0, y1 - y0), "white"), mask, width)
    t = np.clip(distance_transform_edt(np.asarray(mask) > 0) / (width * min(box[2] - box[0], box[3] - box[1]) + 1), 0, 1)
    assert np.abs(np.asarray(laid)[..., 0] / 255 - t * t * (3 - 2 * t)).max() < 0.08


def test_a_speck_outside_of_a_wide_feather_is_outside_and_no_more():
    mask = Image.new("L", (300, 200), 255)
    mask.putpixel((120, 70), 0)
    weight = blend.feather(mask, 60.0)
    assert weight[70, 120] == 0 and weight.sum() == 300 * 200 - 1


def test_a_large_place_is_mixed_to_a_level():
    rng = np.random.default_rng(4)
    before, after = (rng.integers(0, 256, (1000, 1400, 3), np.uint8) for _ in range(2))
    mask = place_of_an_oval(1400, 1000)
    x0, y0, x1, y1 = place = blend.place_of(mask)
    assert (x1 - x0) * (y1 - y0) > blend.MANY
    result = np.asarray(blend.lay_in(Image.fromarray(before), Image.fromarray(after[y0:y1, x0:x1]), mask))
    weight = blend.feather(mask.crop(place), blend.FEATHER * min(x1 - x0 - 2, y1 - y0 - 2))
    expected = blend.mix(before[y0:y1, x0:x1], after[y0:y1, x0:x1], weight)
    assert np.abs(result[y0:y1, x0:x1].astype(int) - expected).max() <= 1
    assert (result[y0:y1, x0:x1][weight == 1] == after[y0:y1, x0:x1][weight == 1]).all()
    outside = np.asarray(mask) == 0
    assert (result[outside] == before[outside]).all()


def test_each_picture_is_reduced_for_the_detector_once(models, monkeypatch):
    made = []

    def counted(image, processor):
        made.append(image)
        return reduced(image, processor)

    for user in (detect_batch, Editor):
        monkeypatch.setattr(sys.modules[user.__module__], "reduced", counted)
    image = render(replace(make_scene(3), width=1200, height=900))
    found, (alone,) = Editor(models).detections(image), detect_batch([image], models.detr, models.detr_processor)
    assert len(made) == 2
    np.testing.assert_array_equal(found.boxes, alone.boxes)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc can be told to keep what was freed")
def test_what_is_freed_serves_the_next_picture():
    """A page that is new to the process is a fault, a page of 4 KB; a picture of 12 megapixels has 12,000."""
    code = """
import resource
from PIL import Image
from textedit_lite.memory import keep_freed
keep_freed()
picture = Image.new("RGB", (4000, 3000), "red")
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    picture.copy()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    first, second = map(int, subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert second < first / 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_opened_picture_shares_nothing_with_its_source(tmp_path, orientation):
    source = Image.new("RGB", (40, 20), "red")
    opened = open_image(source)
    opened.putpixel((0, 0), (0, 0, 255))
    assert source.getpixel((0, 0)) == (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    source.save(tmp_path / "turned.png", exif=exif)
    again = open_image(tmp_path / "turned.png")
    assert again.size == ((40, 20) if orientation == 1 else (20, 40)) and again.info == {}
    assert type(again) is Image.Image and 0x0112 not in again.getexif()
    again.save(tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").getexif().get(0x0112) is None
