"""Stage 3 and what joins the painted crop to its picture: masks, the feather, the refined boundary, the exact paste."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import box_mask
from PIL import Image, ImageDraw

from textedit_lite.blend import Start, check_feather, feather, paste_back, refine_boundary
from textedit_lite.errors import ImageError, MaskError, SettingsError
from textedit_lite.mask import build_mask, check_mask


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


# --- masks -------------------------------------------------------------------------------------------------------


def test_a_mask_is_the_grown_box():
    mask = build_mask((257, 193), (100, 50, 200, 100), grow=0.1)
    assert mask.mode == "L" and mask.size == (257, 193)
    assert mask.getbbox() == (90, 40, 210, 110)
    assert mask.getcolors() == [(257 * 193 - 120 * 70, 0), (120 * 70, 255)]


def test_only_a_tilt_needs_more_room():
    box = (100, 100, 160, 120)
    plain = build_mask((300, 300), box).getbbox()
    assert build_mask((300, 300), box, "upside down").getbbox() == plain
    x0, y0, x1, y1 = build_mask((300, 300), box, "tilted").getbbox()
    assert y1 - y0 > plain[3] - plain[1] + 15 and x0 <= plain[0] + 1


def test_what_is_seen_from_another_side_needs_a_square():
    assert build_mask((300, 300), (50, 100, 150, 140), view="front", grow=0).getbbox() == (50, 70, 150, 170)
    assert build_mask((300, 300), (50, 100, 150, 140), grow=0).getbbox() == (50, 100, 150, 140)


def test_a_mask_ends_at_the_border_of_the_picture():
    assert build_mask((100, 80), (-5, -5, 50, 90)).getbbox() == (0, 0, 58, 80)


def test_a_box_outside_of_the_picture_has_no_mask():
    with pytest.raises(MaskError, match="outside of the picture"):
        build_mask((100, 80), (200, 10, 220, 20))


@pytest.mark.parametrize("grow", [-0.1, 1.1, float("nan"), float("inf"), "much"])
def test_a_mask_cannot_grow_by_nonsense(grow):
    with pytest.raises(SettingsError, match="cannot grow"):
        build_mask((100, 80), (10, 10, 20, 20), grow=grow)


# --- the user's own mask -----------------------------------------------------------------------------------------


def test_a_soft_mask_is_made_hard():
    soft = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    hard = np.asarray(check_mask(soft, (16, 16))).ravel()
    assert (hard[:128] == 0).all() and (hard[128:] == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_masks_of_all_modes_are_read_alike(mode):
    drawn = box_mask((20, 20), (5, 5, 9, 9))
    if mode == "I;16":
        given = Image.fromarray(np.asarray(drawn).astype(np.uint16) * 257)
    else:
        given = drawn.convert("RGB").convert(mode) if mode == "CMYK" else drawn.convert(mode)
    assert check_mask(given, (20, 20)).tobytes() == drawn.tobytes()


ONES = np.pad(np.ones((4, 4), int), ((5, 11), (5, 11)))  # of box_mask((20, 20), (5, 5, 9, 9))


@pytest.mark.parametrize("kind", ["bool", "uint8", "int8", "uint16", "int32", "int64", "float32", "float64"])
def test_arrays_of_0_and_1_are_masks(kind):
    drawn = box_mask((20, 20), (5, 5, 9, 9)).tobytes()
    assert check_mask(ONES.astype(kind), (20, 20)).tobytes() == drawn
    assert check_mask(ONES.astype(kind)[:, :, None], (20, 20)).tobytes() == drawn


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I", "I;16", "F"])
@pytest.mark.parametrize("as_file", [True, False])
def test_pictures_of_0_and_1_are_masks(tmp_path, mode, as_file):
    if mode in ("I", "I;16", "F"):
        given = Image.fromarray(ONES.astype({"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]))
    else:
        given = Image.fromarray(ONES.astype(np.uint8)).convert(mode)
    assert given.mode == mode
    if as_file:
        given.save(tmp_path / "mask.tif")
    assert check_mask(tmp_path / "mask.tif" if as_file else given, (20, 20)).tobytes() == box_mask((20, 20), (5, 5, 9, 9)).tobytes()


@pytest.mark.parametrize("value", [2, 100, 127])
def test_what_is_dark_is_not_white(value):
    for kind in (np.uint8, np.int64):
        with pytest.raises(MaskError, match="empty"):
            check_mask((value * ONES).astype(kind), (20, 20))


@pytest.mark.parametrize("value", [2, 300, 32000])
def test_sixteen_bits_are_scaled_before_they_are_made_hard(tmp_path, value):
    deep = Image.fromarray((value * ONES).astype(np.uint16))
    deep.save(tmp_path / "mask.png")
    for given in (deep, tmp_path / "mask.png", (value * ONES).astype(np.uint16)):
        with pytest.raises(MaskError, match="empty"):
            check_mask(given, (20, 20))
    bright = Image.fromarray((33000 * ONES).astype(np.uint16))
    assert check_mask(bright, (20, 20)).getbbox() == (5, 5, 9, 9)


def test_a_float_mask_may_overshoot():
    soft = Image.fromarray((1.02 * ONES).astype(np.float32))
    assert check_mask(soft, (20, 20)).getbbox() == check_mask(1.02 * ONES - 0.01, (20, 20)).getbbox() == (5, 5, 9, 9)


def test_a_mask_in_a_file_is_turned_as_its_picture_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    box_mask((30, 20), (5, 2, 9, 4)).save(tmp_path / "mask.png", exif=exif)
    assert check_mask(tmp_path / "mask.png", (20, 30)).getbbox() == (16, 5, 18, 9)


def test_a_profile_means_nothing_to_a_mask(tmp_path):
    from test_images import LINEAR_GREY

    soft = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    soft.save(tmp_path / "mask.png", icc_profile=LINEAR_GREY)
    assert check_mask(tmp_path / "mask.png", (16, 16)).tobytes() == check_mask(soft, (16, 16)).tobytes()


def test_what_is_no_mask_is_said(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        check_mask(tmp_path / "nowhere.png", (20, 20))
    with pytest.raises(MaskError, match="3x4 pixels and the picture 20x20"):
        check_mask(Image.new("L", (3, 4), 255), (20, 20))
    with pytest.raises(MaskError, match="3x4 pixels and the picture 20x20"):
        check_mask(np.ones((4, 3)), (20, 20))
    with pytest.raises(ImageError, match="no picture"):
        check_mask(np.zeros((0, 20)), (20, 20))


def test_what_is_transparent_in_a_mask_is_not_repainted():
    strokes = Image.new("RGBA", (20, 20), (255, 255, 255, 0))
    ImageDraw.Draw(strokes).rectangle((5, 5, 8, 8), (255, 255, 255, 255))
    assert check_mask(strokes, (20, 20)).getbbox() == (5, 5, 9, 9)


def test_a_mask_of_another_size_or_without_white_is_refused():
    with pytest.raises(MaskError, match="20x10 pixels and the picture 10x20"):
        check_mask(Image.new("L", (20, 10), 255), (10, 20))
    with pytest.raises(MaskError, match="empty"):
        check_mask(Image.new("L", (20, 10), 127), (20, 10))


# --- the feather -------------------------------------------------------------------------------------------------


def test_the_feather_runs_inwards_only():
    mask = box_mask((40, 30), (10, 8, 30, 22))
    alpha = feather(mask, 3)
    inside = np.asarray(mask) > 0
    assert (alpha[~inside] == 0).all()
    assert (alpha[inside] > 0).all()
    assert alpha.dtype == np.float32 and alpha.max() == 1
    # smoothstep of d / 4 at d = 1, 2, 3, 4 pixels from outside
    t = np.array([1, 2, 3, 4]) / 4
    assert np.allclose(alpha[15, 10:14], t * t * (3 - 2 * t))
    assert (alpha[12:18, 14:26] == 1).all()


def test_the_feather_does_not_fade_where_the_picture_ends():
    alpha = feather(box_mask((40, 30), (0, 0, 20, 30)), 3)
    assert (alpha[:, :16] == 1).all() and 0 < alpha[15, 19] < 1


def test_no_feather_and_a_mask_of_everything():
    mask = box_mask((40, 30), (10, 8, 30, 22))
    assert (feather(mask, 0) == (np.asarray(mask) > 0)).all()
    assert (feather(Image.new("L", (40, 30), 255), 5) == 1).all()


@pytest.mark.parametrize("width", [-0.01, 0.51, float("nan"), float("inf"), "wide", None])
def test_a_feather_is_at_most_half_as_wide_as_its_mask(width):
    check_feather(0), check_feather(0.5)
    with pytest.raises(SettingsError, match="from 0 to 0.5"):
        check_feather(width)


# --- the refined boundary ----------------------------------------------------------------------------------------


def smooth(side: int = 112) -> np.ndarray:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return np.stack([80 + x / 2, 60 + y / 2, 90 + (x + y) / 4], -1)


HOLE = np.zeros((112, 112), bool)
HOLE[14:98, 20:92] = True


@pytest.mark.parametrize("offset", [(12, 12, 12), (-15, 5, 0)])
def test_a_wrong_shade_leaves_no_seam(offset):
    original = smooth()
    refined = refine_boundary(original, original + np.array(offset), HOLE)
    edge = HOLE & ~np.roll(HOLE, 1, 0)  # the uppermost row of the hole
    seam = np.abs(refined - original)[edge][5:-5].max()
    assert seam < 0.25 * np.abs(offset).max()
    # Deep inside, the painting is the painter's.
    assert np.allclose(refined[56, 56], original[56, 56] + offset, atol=0.01)


def test_the_correction_fades_without_a_step():
    original = smooth()
    refined = refine_boundary(original, original + 20.0, HOLE)
    profile = (refined - original)[14:56, 56, 0]
    assert (np.diff(profile) >= -0.01).all() and np.diff(profile).max() < 4


def test_in_a_narrow_mask_the_correction_stays_at_the_border():
    """It reaches a share of the short side, and two pixels at least: half of it is left of one, nothing at the second."""
    narrow = np.zeros((40, 140), bool)
    narrow[14:26, 20:120] = True
    original = np.full((40, 140, 3), 100, np.float32)
    carried = (original + 20 - refine_boundary(original, original + 20, narrow))[..., 0]
    assert np.abs(carried[14, 30:110] - 10).max() < 2 and np.abs(carried[17:23, 20] - 10).max() < 2
    assert np.abs(carried[15:25, 21:119]).max() < 0.01


def test_a_cut_object_is_left_alone():
    original = smooth()
    original[40:70, 5:35] = (200, 0, 0)  # an object that the hole cuts, and that the painter has not painted
    painted = smooth()
    refined = refine_boundary(original, painted, HOLE)
    assert np.abs(refined - painted)[HOLE].max() < 1.0


def test_beside_a_cut_object_the_seam_is_taken_out_all_the_same():
    original = smooth()
    original[40:70, 5:35] = (200, 0, 0)
    refined = refine_boundary(original, smooth() + 12.0, HOLE)
    assert np.abs(refined - smooth())[14, 50:80].max() < 3
    assert np.allclose(refined[55, 21], smooth()[55, 21] + 12, atol=1.0)  # in the middle of the cut object


def test_what_fits_already_and_what_has_no_border_stays():
    original = smooth()
    assert np.allclose(refine_boundary(original, original, HOLE), original, atol=1e-3)
    everything = np.ones_like(HOLE)
    assert np.array_equal(refine_boundary(original, original + 10, everything), original + 10)


def test_a_refined_painting_is_a_picture():
    painted = np.full((112, 112, 3), 250, np.float32)
    refined = refine_boundary(np.full_like(painted, 255), painted + 4, HOLE)
    assert refined.shape == (112, 112, 3) and refined.min() >= 0 and refined.max() <= 255


# --- the paste ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size,box,window",
    [
        ((257, 193), (60, 50, 120, 110), (50, 40, 130, 120)),
        ((257, 193), (0, 0, 60, 60), (0, 0, 80, 80)),  # in the corner
        ((257, 193), (197, 133, 257, 193), (177, 113, 257, 193)),
        ((300, 20), (100, 0, 200, 20), (83, -57, 217, 77)),  # the window is higher than the picture
        ((20, 300), (0, 0, 20, 300), (-190, -50, 210, 350)),  # everything
        ((257, 193), (100, 100, 101, 101), (84, 84, 116, 116)),  # one pixel
    ],
)
def test_outside_of_the_mask_not_a_bit_changes(size, box, window):
    image, mask = noise(*size), box_mask(size, box)
    painted = noise(112, 112, seed=1)
    result = paste_back(image, painted, mask, window)
    assert result.size == image.size and result is not image
    differs = (np.asarray(result) != np.asarray(image)).any(-1)
    inside = np.asarray(mask) > 0
    assert not (differs & ~inside).any()
    assert differs[inside].mean() > 0.7


def test_what_the_painter_left_alone_stays_as_it_was():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (96, 96, 3), np.uint8))  # all of it fine detail
    mask = box_mask((96, 96), (16, 16, 80, 80))
    window = (0, 0, 96, 96)
    through = image.resize((24, 24), Image.Resampling.BOX)  # what a painter of 24 pixels a side can see of it
    untouched = paste_back(image, through, mask, window, start=Start(image, through))
    assert np.abs(np.asarray(untouched, int) - np.asarray(image)).max() <= 1
    drawn = Image.new("RGB", (24, 24), (255, 0, 0))
    repainted = np.asarray(paste_back(image, drawn, mask, window, start=Start(image, through)), int)
    assert (repainted[30:66, 30:66] == (255, 0, 0)).mean() > 0.99  # and what it drew anew is all its own


def test_what_is_pasted_is_the_same_place_of_the_window():
    y, x = np.mgrid[:200, :200]
    image = Image.fromarray(np.stack([x, y, x * 0], -1).astype(np.uint8))
    window = (40, 20, 152, 132)
    painted = image.crop(window).point(lambda value: value)  # the same picture, so that the paste changes nothing
    mask = box_mask((200, 200), (60, 40, 130, 110))
    assert paste_back(image, painted, mask, window).tobytes() == image.tobytes()
    half = image.crop(window).resize((56, 56), Image.Resampling.LANCZOS)
    change = np.abs(np.asarray(paste_back(image, half, mask, window), int) - np.asarray(image)).max()
    assert change <= 1


def test_the_input_is_not_written_to():
    image = noise(60, 60)
    before = image.tobytes()
    paste_back(image, Image.new("RGB", (40, 40)), box_mask((60, 60), (20, 20, 40, 40)), (10, 10, 50, 50))
    assert image.tobytes() == before


def test_an_irregular_mask_with_holes_is_kept_to():
    mask = Image.new("L", (100, 100))
    draw = ImageDraw.Draw(mask)
    draw.ellipse((20, 20, 80, 80), 255)
    draw.ellipse((40, 40, 60, 60), 0)
    image = noise(100, 100)
    result = paste_back(image, noise(112, 112, 3), mask, (10, 10, 90, 90))
    differs = (np.asarray(result) != np.asarray(image)).any(-1)
    assert not (differs & (np.asarray(mask) == 0)).any() and differs.any()
