"""Every kind of picture comes in as RGB, what is none is refused in one sentence, and no half file is left behind."""

from __future__ import annotations

import errno
import io
import os
import resource
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from textedit_lite import images
from textedit_lite.errors import ImageError, OutputError, TextEditError
from textedit_lite.images import (
    MAX_ASPECT,
    MAX_PIXELS,
    MIN_SIDE,
    check_output,
    open_image,
    read_metadata,
    result_files,
    save_png,
    write_files,
    write_text,
)

WIDTH, HEIGHT = 48, 32


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Four quarters of four colours, so that every turn and every swap of channels shows."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (200, 30, 30))
    draw = ImageDraw.Draw(image)
    draw.rectangle([WIDTH // 2, 0, WIDTH, HEIGHT // 2 - 1], fill=(30, 180, 40))
    draw.rectangle([0, HEIGHT // 2, WIDTH // 2 - 1, HEIGHT], fill=(20, 40, 210))
    draw.rectangle([WIDTH // 2, HEIGHT // 2, WIDTH, HEIGHT], fill=(240, 240, 250))
    return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def ramp(low: float, high: float) -> np.ndarray:
    """A horizontal ramp, [32, 48]."""
    return np.tile(np.linspace(low, high, WIDTH), (HEIGHT, 1))


def one_sentence(error: pytest.ExceptionInfo) -> str:
    """The message, checked to be one sentence that says what is wrong, a colon, and what to do."""
    text = str(error.value)
    assert "\n" not in text and text[0] in '"TATR' and text.endswith(".") and ": " in text
    assert ". " not in text
    return text


def png(width: int, height: int, bits: int = 1, data: bytes = b"") -> bytes:
    """A greyscale PNG written by hand: its header may promise far more pixels than its data hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


# ------------------------------------------------------------------------------------------------- what comes in
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA"])
def test_lossless_files_come_in_exactly(picture, tmp_path, kind):
    path = tmp_path / f"picture.{kind.lower()}"
    picture.save(path, format=kind)
    opened = open_image(path)
    assert opened.mode == "RGB" and (pixels(opened) == pixels(picture)).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_lossy_files_come_in_closely(picture, tmp_path, kind):
    picture.save(tmp_path / "picture", format=kind, quality=95)
    opened = open_image(str(tmp_path / "picture"))
    assert opened.mode == "RGB" and np.abs(pixels(opened) - pixels(picture)).mean() < 4


def test_a_path_a_file_a_buffer_an_image_and_an_array_give_the_same(picture, tmp_path):
    picture.save(tmp_path / "p.png")
    buffer = io.BytesIO((tmp_path / "p.png").read_bytes())
    with open(tmp_path / "p.png", "rb") as file:
        sources = [tmp_path / "p.png", str(tmp_path / "p.png"), file, buffer, picture, np.asarray(picture)]
        for source in sources:
            assert (pixels(open_image(source)) == pixels(picture)).all()
        assert not file.closed and not buffer.closed


@pytest.mark.parametrize("make", [Image.Image.copy, lambda image: np.array(image)])
def test_the_result_shares_nothing_with_the_source(picture, make):
    source = make(picture)
    opened = open_image(source)
    opened.putpixel((0, 0), (1, 2, 3))
    assert pixels(source)[0, 0].tolist() == [200, 30, 30]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_rotation_is_applied_once(picture, tmp_path, orientation, kind):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transpose that stores `picture` under this orientation
    stored = picture.transpose(Image.Transpose(undo[orientation])) if orientation in undo else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "p", format=kind, exif=exif, quality=100)
    opened = open_image(tmp_path / "p")
    assert opened.size == picture.size
    assert np.abs(pixels(opened) - pixels(picture)).mean() < 4
    assert (pixels(open_image(opened)) == pixels(opened)).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_is_read_past_in_silence(picture, tmp_path, kind, recwarn):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description that is long enough to lie behind the table"
    whole, seen, random = exif.tobytes(), set(), np.random.default_rng(0)
    damaged = [whole[:length] for length in range(4, len(whole), 3)]
    for _ in range(30):
        spoilt = bytearray(whole)
        for at in random.integers(6, len(whole), 8):
            spoilt[at] = random.integers(256)
        damaged.append(bytes(spoilt))
    for content in damaged:
        picture.save(tmp_path / "p", format=kind, exif=content)
        seen.add(open_image(tmp_path / "p").size)
        with warnings.catch_warnings(action="ignore"):  # what Pillow says to somebody else is no matter of ours
            opened_elsewhere = Image.open(tmp_path / "p")
        with opened_elsewhere:
            open_image(opened_elsewhere)
    assert seen == {picture.size, picture.size[::-1]}, "turned where that can still be read"
    assert not recwarn.list


def test_nothing_but_pixels_comes_in(picture, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a description"
    picture.save(tmp_path / "p.png", exif=exif, dpi=(72, 72))
    opened = open_image(tmp_path / "p.png")
    assert opened.info == {} and dict(opened.getexif()) == {}


@pytest.mark.parametrize(("alpha", "expected"), [(0, (255, 255, 255)), (255, (200, 0, 0)), (51, (244, 204, 204))])
def test_rgba_is_laid_over_white(tmp_path, alpha, expected):
    Image.new("RGBA", (20, 20), (200, 0, 0, alpha)).save(tmp_path / "p.png")
    assert np.abs(pixels(open_image(tmp_path / "p.png")) - expected).max() <= 1


@pytest.mark.parametrize(("alpha", "expected"), [(0, 255), (255, 100), (51, 224)])
def test_grey_with_alpha_is_laid_over_white(tmp_path, alpha, expected):
    Image.new("LA", (20, 20), (100, alpha)).save(tmp_path / "p.png")
    assert np.abs(pixels(open_image(tmp_path / "p.png")) - expected).max() <= 1


def test_a_transparent_palette_entry_becomes_white(tmp_path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.paste(1, [10, 0, 20, 20])
    image.save(tmp_path / "p.png", transparency=0)
    opened = open_image(tmp_path / "p.png")
    assert opened.getpixel((0, 0)) == (255, 255, 255) and opened.getpixel((19, 0)) == (0, 0, 200)


def test_a_transparent_colour_becomes_white(tmp_path):
    image = Image.new("RGB", (20, 20), (200, 0, 0))
    image.paste((0, 0, 200), [10, 0, 20, 20])
    image.save(tmp_path / "p.png", transparency=(200, 0, 0))
    opened = open_image(tmp_path / "p.png")
    assert opened.getpixel((0, 0)) == (255, 255, 255) and opened.getpixel((19, 0)) == (0, 0, 200)


def test_a_palette_without_transparency_keeps_its_colours(tmp_path):
    image = Image.new("P", (20, 20), 1)
    image.putpalette([200, 0, 0, 12, 34, 56])
    image.save(tmp_path / "p.png")
    assert open_image(tmp_path / "p.png").getpixel((5, 5)) == (12, 34, 56)


@pytest.mark.parametrize(("mode", "colour", "expected"), [("L", 77, 77), ("1", 1, 255), ("1", 0, 0)])
def test_grey_and_black_and_white_have_three_equal_channels(tmp_path, mode, colour, expected):
    Image.new(mode, (20, 20), colour).save(tmp_path / "p.png")
    assert (pixels(open_image(tmp_path / "p.png")) == expected).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_comes_in_as_the_colour_that_it_prints(tmp_path, kind):
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(tmp_path / "p", format=kind)
    red, green, blue = open_image(tmp_path / "p").getpixel((5, 5))
    assert red > 200 and green < 60 and blue < 60


@pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
def test_other_colour_spaces_are_converted(picture, mode):
    assert np.abs(pixels(open_image(picture.convert(mode))) - pixels(picture)).max() <= 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path, kind):
    Image.fromarray(ramp(0, 65535).astype(np.uint16)).save(tmp_path / "p", format=kind)
    opened = pixels(open_image(tmp_path / "p"))
    assert np.abs(opened[:, :, 1] - ramp(0, 255)).max() <= 1


def test_a_dark_sixteen_bit_picture_stays_dark(tmp_path):
    Image.new("I;16", (20, 20), 200).save(tmp_path / "p.png")
    assert (pixels(open_image(tmp_path / "p.png")) == 1).all()


def test_sixteen_bits_of_either_byte_order_are_the_same():
    little, big = (Image.new(mode, (20, 20), 25700) for mode in ("I;16", "I;16B"))
    assert pixels(open_image(little)).max() == 100 and (pixels(open_image(little)) == pixels(open_image(big))).all()


@pytest.mark.parametrize(
    ("mode", "low", "high"),
    [("F", 0, 1), ("F", 0, 255), ("F", -40, 900), ("I", 0, 255), ("I", 0, 65535), ("I", -1000, 2**30)],
)
def test_wide_modes_use_the_whole_range(tmp_path, mode, low, high):
    values = ramp(low, high).astype({"F": np.float32, "I": np.int32}[mode])
    Image.fromarray(values, mode=None).save(tmp_path / "p.tif")
    opened = pixels(open_image(tmp_path / "p.tif"))
    assert np.abs(opened[:, :, 0] - ramp(0, 255)).max() <= 1


def test_an_even_wide_picture_is_no_division_by_zero():
    assert (pixels(open_image(Image.new("I", (20, 20), 10**6))) == 0).all()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(tmp_path, kind):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    frames[0].save(tmp_path / "p", format=kind, save_all=True, append_images=frames[1:], lossless=True)
    with Image.open(tmp_path / "p") as animation:
        assert animation.n_frames == 3
    assert open_image(tmp_path / "p").getpixel((9, 9)) == (250, 0, 0)


@pytest.mark.parametrize("size", [(17, 23), (257, 255), (16, 800), (800, 16), (16, 16)])
def test_odd_sizes_and_extreme_aspects_are_kept(tmp_path, size):
    Image.new("RGB", size, "teal").save(tmp_path / "p.png")
    assert open_image(tmp_path / "p.png").size == size


def test_a_path_may_begin_at_home_and_have_spaces(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my pictures").mkdir()
    save_png(picture, tmp_path / "my pictures" / "a photo.png", {"key": "value"})
    for source in ("~/my pictures/a photo.png", Path("~/my pictures/a photo.png")):
        assert (pixels(open_image(source)) == pixels(picture)).all() and read_metadata(source) == {"key": "value"}
    save_png(picture, tmp_path / "~photo.png")
    monkeypatch.chdir(tmp_path)
    assert open_image("~photo.png").size == picture.size, "no home of a user called photo.png"


@pytest.mark.parametrize("top", [1.0001, 1.07, 1.4])
def test_floats_that_leave_their_range_a_little_are_clipped(top):
    values = np.full((20, 30, 3), 0.5)
    values[3, 4], values[5, 6] = top, -0.05
    for given in (values, Image.fromarray(values[:, :, 0].astype(np.float32))):
        opened = open_image(given)
        assert opened.getpixel((0, 0)) == (128, 128, 128)
        assert opened.getpixel((4, 3)) == (255, 255, 255) and opened.getpixel((6, 5)) == (0, 0, 0)
    assert values.max() == top, "the array that was given stays"


def test_a_bicubic_resize_stays_the_picture_that_it_was(picture):
    grey = Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255)
    larger = grey.resize((96, 64), Image.Resampling.BICUBIC)
    assert np.asarray(larger).max() > 1 or np.asarray(larger).min() < 0.1
    expected = picture.convert("L").resize((96, 64), Image.Resampling.BICUBIC)
    assert np.abs(pixels(open_image(np.asarray(larger)))[:, :, 0] - pixels(expected)).max() <= 1


@pytest.mark.parametrize("largest", [1.6, 2.0, 60.0])
def test_floats_beyond_that_are_of_255(largest):
    assert open_image(np.full((20, 30), largest)).getpixel((0, 0)) == (round(largest),) * 3


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((20, 30), 7, np.uint8), (7, 7, 7)),
        (np.full((20, 30, 1), 7, np.uint8), (7, 7, 7)),
        (np.full((20, 30, 2), (100, 0), np.uint8), (255, 255, 255)),
        (np.full((20, 30, 3), (1, 2, 3), np.uint8), (1, 2, 3)),
        (np.full((20, 30, 4), (1, 2, 3, 0), np.uint8), (255, 255, 255)),
        (np.full((20, 30), True), (255, 255, 255)),
        (np.full((20, 30, 3), (0, 0.2, 1)), (0, 51, 255)),
        (np.full((20, 30, 3), (0, 2.4, 200), np.float32), (0, 2, 200)),
        (np.full((20, 30, 3), (0, 51, 200), np.int64), (0, 51, 200)),
        (np.full((20, 30, 3), (0, 51, 200), np.int16), (0, 51, 200)),
        (np.full((20, 30, 3), (0, 25700, 65535), np.uint16), (0, 100, 255)),
        (np.full((20, 30, 3), (0, 25700, 65535), np.int32), (0, 100, 255)),
        (np.full((30, 20, 3), (1, 2, 3), np.uint8).transpose(1, 0, 2)[::-1], (1, 2, 3)),
    ],
)
def test_arrays(array, expected):
    opened = open_image(array)
    assert opened.mode == "RGB" and opened.size == (30, 20) and opened.getpixel((4, 4)) == expected


def test_what_is_transparent_shows_what_lies_under_it_in_arrays_too():
    array = np.full((20, 30, 4), (200, 0, 0, 0), np.uint8)
    assert open_image(array).getpixel((4, 4)) == (255, 255, 255) and open_image(array, "black").getpixel((4, 4)) == (0, 0, 0)


# ------------------------------------------------------------------------------------------------- colour profiles
def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(65536 * value)) for value in values)


def profile(space: bytes, between: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile written by hand, as ImageCms makes none of a wide gamut, of grey or of ink."""
    table, data, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(body))
        data += body + b"\0" * (-len(body) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", at + len(data), b"none", 0x02400000, b"mntr", space, between, b"\0" * 12, b"acsp")
    return (head + b"\0" * 28 + fixed(0.9642, 1, 0.8249)).ljust(128, b"\0") + table + data


def gamma(value: float) -> bytes:
    return struct.pack(">4sIIH", b"curv", 0, 1, round(256 * value))


def xyz(*values: float) -> bytes:
    return b"XYZ " + b"\0" * 4 + fixed(*values)


# The primaries of Display P3, seen under D50, a column a channel.
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
WIDE = profile(b"RGB ", b"XYZ ", {b"wtpt": xyz(0.9642, 1, 0.8249)}
               | {name + b"XYZ": xyz(*column) for name, column in zip((b"r", b"g", b"b"), P3.T)}
               | {name + b"TRC": gamma(2.2) for name in (b"r", b"g", b"b")})  # fmt: skip
LINEAR_GREY = profile(b"GRAY", b"XYZ ", {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": gamma(1)})
# An ink of which the first, cyan by name, prints red: Lab (127, 178, 170) of 255; without ink there is white.
LADDERS = bytes(range(256))
INK = profile(b"CMYK", b"Lab ", {b"wtpt": xyz(0.9642, 1, 0.8249), b"A2B0": struct.pack(">4sI4B", b"mft1", 0, 4, 3, 2, 0)
              + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + 4 * LADDERS
              + b"".join(bytes((127, 178, 170)) if corner & 8 else bytes((255, 128, 128)) for corner in range(16))
              + 3 * LADDERS})  # fmt: skip


def as_srgb(colour, primaries=P3, exponent: float = 2.2) -> np.ndarray:
    """A colour of other primaries as sRGB has it, by its definition."""
    linear = np.linalg.solve(SRGB, primaries @ (np.array(colour) / 255) ** exponent).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_wide_gamut_comes_in_as_srgb(picture, tmp_path, kind):
    colour = (180, 120, 60)
    Image.new("RGB", (32, 32), colour).save(tmp_path / "p", format=kind, icc_profile=WIDE, quality=100, lossless=True)
    opened = open_image(tmp_path / "p")
    assert np.abs(opened.getpixel((9, 9)) - as_srgb(colour)).max() <= 3
    assert max(abs(a - b) for a, b in zip(opened.getpixel((9, 9)), colour)) > 5
    assert opened.info == {} and opened.mode == "RGB"
    assert (pixels(open_image(opened)) == pixels(opened)).all(), "once, and not once more"


def test_every_way_in_knows_profiles(picture, tmp_path):
    picture.save(tmp_path / "p.png", icc_profile=WIDE)
    expected = pixels(open_image(tmp_path / "p.png"))
    with open(tmp_path / "p.png", "rb") as file, Image.open(tmp_path / "p.png") as image:
        assert image.info["icc_profile"] == WIDE
        for source in (file, image, image.convert("RGB"), image.convert("RGBA")):
            assert (pixels(open_image(source)) == expected).all()
        assert image.info["icc_profile"] == WIDE, "the source stays as it is"
    assert not (expected == pixels(picture)).all()


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_is_turned_and_its_colours_are_too(picture, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "p.png", icc_profile=WIDE, exif=exif)
    opened = open_image(tmp_path / "p.png")
    assert opened.size == ((WIDTH, HEIGHT) if orientation == 1 else (HEIGHT, WIDTH))
    assert opened.info == {} and dict(opened.getexif()) == {}
    assert {tuple(colour) for _, colour in opened.getcolors()} != {tuple(colour) for _, colour in picture.getcolors()}


def test_white_and_black_stay_under_what_is_transparent(tmp_path):
    image = Image.new("RGBA", (32, 32), (180, 120, 60, 255))
    image.paste((0, 0, 0, 0), (0, 0, 16, 32))
    image.save(tmp_path / "p.png", icc_profile=WIDE)
    assert open_image(tmp_path / "p.png").getpixel((3, 3)) == (255, 255, 255)
    assert open_image(tmp_path / "p.png", under="black").getpixel((3, 3)) == (0, 0, 0)
    assert np.abs(open_image(tmp_path / "p.png").getpixel((30, 3)) - as_srgb((180, 120, 60))).max() <= 3


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_profile_of_grey_is_followed(tmp_path, mode):
    value = {"L": 55, "LA": (55, 255), "I;16": 55 * 257}[mode]
    Image.new(mode, (32, 32), value).save(tmp_path / "p.png", icc_profile=LINEAR_GREY)
    expected = as_srgb((55, 55, 55), SRGB, 1)[0]
    assert expected > 120 and np.abs(pixels(open_image(tmp_path / "p.png")) - expected).max() <= 2


@pytest.mark.parametrize("mode", ["L", "P"])
def test_grey_and_palettes_may_have_a_profile_of_a_screen(tmp_path, mode):
    image = Image.new("L", (32, 32), 60) if mode == "L" else Image.new("RGB", (32, 32), (180, 120, 60)).quantize(2)
    image.save(tmp_path / "p.png", icc_profile=WIDE)
    expected = as_srgb((60, 60, 60) if mode == "L" else (180, 120, 60))
    assert np.abs(pixels(open_image(tmp_path / "p.png")) - expected).max() <= 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_ink_prints_what_its_profile_says(tmp_path, kind):
    image = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    image.paste((0, 0, 0, 0), (16, 0, 32, 32))
    image.save(tmp_path / "p", format=kind, icc_profile=INK, quality=100)
    opened = open_image(tmp_path / "p")
    red, green, blue = opened.getpixel((4, 4))
    assert red > 150 and green < 110 and blue < 110 and opened.info == {}
    assert min(opened.getpixel((28, 4))) > 250


def test_lab_is_a_picture_too(picture, tmp_path):
    lab = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    lab.save(tmp_path / "p.tif")
    for source in (tmp_path / "p.tif", lab, Image.merge("LAB", lab.split())):
        assert np.abs(pixels(open_image(source)) - pixels(picture)).max() <= 8


@pytest.mark.parametrize("name", ["sRGB by name", "sRGB by numbers"])
def test_what_is_srgb_already_stays_to_the_bit(picture, tmp_path, name):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if name == "sRGB by numbers":  # the curve of sRGB, in a table of cameras' own
        t = np.linspace(0, 1, 1024)
        curve = np.where(t <= 0.04045, t / 12.92, ((t + 0.055) / 1.055) ** 2.4)
        table = struct.pack(">4sII", b"curv", 0, 1024) + np.round(65535 * curve).astype(">u2").tobytes()
        own = profile(b"RGB ", b"XYZ ", {name + b"XYZ": xyz(*column) for name, column in zip((b"r", b"g", b"b"), SRGB.T)}
                      | {b"wtpt": xyz(0.9642, 1, 0.8249)} | {name + b"TRC": table for name in (b"r", b"g", b"b")})  # fmt: skip
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    noise.save(tmp_path / "p.png", icc_profile=own)
    assert (pixels(open_image(tmp_path / "p.png")) == pixels(noise)).all()


@pytest.mark.parametrize("spoilt", [b"", b"no profile", WIDE[:200], WIDE[:-40], b"\0" * 500, INK, LINEAR_GREY,
                                    WIDE.replace(b"rXYZ", b"rxyz")], ids=range(8))  # fmt: skip
def test_a_profile_that_is_damaged_or_of_something_else_says_nothing(picture, tmp_path, spoilt):
    picture.save(tmp_path / "p.png", icc_profile=spoilt)
    picture.convert("CMYK").save(tmp_path / "p.tif", icc_profile=spoilt if spoilt is not INK else WIDE)
    assert (pixels(open_image(tmp_path / "p.png")) == pixels(picture)).all()
    assert (pixels(open_image(tmp_path / "p.tif")) == pixels(picture)).all()


def test_without_a_profile_nobody_looks_for_one(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(ImageCms, "buildTransform", lambda *_, **__: pytest.fail("a transform was built"))
    picture.save(tmp_path / "p.png")
    for source in (tmp_path / "p.png", picture, picture.convert("CMYK"), np.asarray(picture)):
        open_image(source)


# ------------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 64, 64), np.uint8),
        np.zeros((1, 64, 64, 3), np.uint8),
        np.zeros(64, np.uint8),
        np.array(5),
        np.zeros((0, 64, 3), np.uint8),
        np.zeros((8, 64, 3), np.uint8),
        np.zeros((64, 64), complex),
        np.full((64, 64), "x"),
        np.full((64, 64), np.nan),
        np.full((64, 64, 3), np.inf),
        ramp(-1, 1),
        ramp(0, 300.0),
        ramp(-5, 200).astype(int),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array):
    with pytest.raises(ImageError) as error:
        open_image(array)
    one_sentence(error)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match="There is no file .*nowhere.png") as error:
        open_image(tmp_path / "nowhere.png")
    one_sentence(error)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ImageError, match="is a folder") as error:
        open_image(tmp_path)
    one_sentence(error)


def test_zero_bytes_are_refused(tmp_path):
    (tmp_path / "p.png").touch()
    with pytest.raises(ImageError, match="zero bytes") as error:
        open_image(tmp_path / "p.png")
    one_sentence(error)


@pytest.mark.parametrize("content", [b"just some words\n" * 50, b"<svg xmlns='svg'/>", b"\x89PN"])
def test_a_text_file_named_png_is_refused(tmp_path, content):
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(ImageError, match="is no picture") as error:
        open_image(tmp_path / "p.png")
    one_sentence(error)


@pytest.mark.parametrize("source", [None, 5, ["p.png"], object(), {"path": "p.png"}])
def test_what_is_not_even_a_source_is_refused(source):
    with pytest.raises(ImageError, match="give a path, a PIL image or an array") as error:
        open_image(source)
    one_sentence(error)


@pytest.mark.parametrize("name", ["p\0.png", "x" * 5000])
def test_impossible_names_are_refused(name):
    with pytest.raises(ImageError, match="cannot be read"):
        open_image(name)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_refused():
    with pytest.raises(ImageError, match="no ordinary file"):
        open_image("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(picture, tmp_path):
    picture.save(tmp_path / "p.png")
    (tmp_path / "p.png").chmod(0)
    with pytest.raises(ImageError, match="your rights"):
        open_image(tmp_path / "p.png")


def test_a_file_that_may_not_be_opened_is_refused(picture, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    picture.save(tmp_path / "p.png")
    monkeypatch.setattr(images.Image, "open", refuse)
    with pytest.raises(ImageError, match="Permission denied.*your rights") as error:
        open_image(tmp_path / "p.png")
    one_sentence(error)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole", format=kind)
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(content[: int(len(content) * share)])
    open_image(tmp_path / "whole")
    with pytest.raises(ImageError) as error:
        open_image(tmp_path / "cut")
    one_sentence(error)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "TGA", "ICO", "PPM"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_open_or_are_refused(picture, tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "p", format=kind, exif=exif.tobytes())
    content = (tmp_path / "p").read_bytes()
    random = np.random.default_rng(1)
    for _ in range(60):
        spoilt = bytearray(content)
        for at in random.integers(0, min(len(spoilt), 300), random.integers(1, 12)):
            spoilt[at] = random.integers(256)
        try:
            assert open_image(io.BytesIO(bytes(spoilt))).mode == "RGB"
        except ImageError as error:
            assert "\n" not in str(error)


def test_truncated_data_is_refused_even_when_opened_elsewhere(picture):
    whole = io.BytesIO()
    picture.resize((480, 320)).save(whole, format="JPEG")
    image = Image.open(io.BytesIO(whole.getvalue()[:-900]))
    with pytest.raises(ImageError, match="The picture cannot be decoded"):
        open_image(image)


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 500), (500, MIN_SIDE - 1)])
def test_tiny_pictures_are_refused(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "p.png")
    with pytest.raises(ImageError, match=f"{size[0]}x{size[1]} pixels: both sides must have {MIN_SIDE}") as error:
        open_image(tmp_path / "p.png")
    one_sentence(error)
    with pytest.raises(ImageError, match="both sides"):
        open_image(Image.new("RGB", size))


@pytest.mark.parametrize("size", [(20_000, 16), (16, 20_000), (817, 16), (100, 100 * MAX_ASPECT + 1)])
def test_a_thread_of_a_picture_is_refused(tmp_path, size):
    Image.new("1", size).save(tmp_path / "p.png")
    for source in (tmp_path / "p.png", Image.new("1", size), np.zeros(size[::-1], bool)):
        with pytest.raises(ImageError, match=f"{size[0]}x{size[1]} pixels, one side more than {MAX_ASPECT} times the other") as error:
            open_image(source)
        one_sentence(error)


@pytest.mark.parametrize("edges", [(192, 384), (800, 1333)], ids=["lite", "full"])
@pytest.mark.parametrize("size", [(800, 16), (16, 800), (20_000, 400)])
def test_the_longest_that_opens_is_not_too_long_for_the_detectors(size, edges):
    from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil

    from textedit_lite.detect import reduced

    processor = DetrImageProcessorPil(size=dict(zip(("shortest_edge", "longest_edge"), edges)))
    image = reduced(open_image(Image.new("RGB", size)), processor)
    assert min(processor(images=image, return_tensors="pt")["pixel_values"].shape[-2:]) >= 8


@pytest.mark.parametrize("side", [10_001, 12_000, 30_000, 60_000])
@pytest.mark.parametrize("as_file", [True, False])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch, side, as_file):
    row = b"\0" * (1 + (side + 7) // 8)
    bomb = png(side, side, data=row * 16)  # a tiny file, promising up to 3.6 gigapixels
    (tmp_path / "p.png").write_bytes(bomb)
    monkeypatch.setattr(images.Image.Image, "load", lambda *_: pytest.fail("pixels were decoded"))
    with pytest.raises(ImageError, match="more than 100 megapixels: scale it down") as error:
        open_image(tmp_path / "p.png" if as_file else io.BytesIO(bomb))
    one_sentence(error)
    with pytest.raises(ImageError, match="100 megapixels"):
        read_metadata(tmp_path / "p.png")


@pytest.mark.filterwarnings("error")
def test_the_limit_is_ours_and_pillow_does_not_warn_below_it(monkeypatch):
    monkeypatch.setattr(images.Image, "MAX_IMAGE_PIXELS", 600)
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    assert MAX_PIXELS == 100_000_000
    assert open_image(io.BytesIO(png(40, 25, data=(b"\0" * 6) * 25))).size == (40, 25)
    with pytest.raises(ImageError, match="41x25 pixels, more than 0.001 megapixels"):
        open_image(io.BytesIO(png(41, 25, data=(b"\0" * 7) * 25)))


@pytest.mark.parametrize("mask", [False, True])
def test_what_lies_in_memory_has_the_same_limit(monkeypatch, mask):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    for source in (np.zeros((25, 41), np.uint8), np.zeros((25, 41, 3)), Image.new("RGB", (41, 25))):
        with pytest.raises(ImageError, match="41x25 pixels, more than 0.001 megapixels"):
            open_image(source, mask=mask)


def test_our_error_has_the_exit_status_of_bad_input():
    assert ImageError("x").exit_code == 2 and OutputError("x").exit_code == 2
    assert issubclass(ImageError, TextEditError)


# ------------------------------------------------------------------------------------------------- what goes out
METADATA = {
    "textedit": '{"seed": 7, "prompt": "the left car changes to a red car"}',
    "Latin": "déjà vu",
    "Beyond": "→ 漢字 🚗",
    "Long": "x" * 100_000,
    "Empty": "",
}


def test_pixels_and_text_come_back(picture, tmp_path):
    save_png(picture, tmp_path / "out.png", METADATA)
    assert read_metadata(tmp_path / "out.png") == METADATA
    assert all(type(value) is str for value in read_metadata(tmp_path / "out.png").values())
    assert (pixels(open_image(tmp_path / "out.png")) == pixels(picture)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_text_lies_in_text_chunks(picture, tmp_path):
    save_png(picture, tmp_path / "out.png", METADATA)
    content = (tmp_path / "out.png").read_bytes()
    assert content.count(b"tEXt") == 4 and content.count(b"iTXt") == 1


def test_a_file_that_windows_keeps_as_it_is_open_stays_whole(output, tmp_path, monkeypatch):
    def refuse(part, target):
        raise PermissionError(errno.EACCES, "Access is denied", str(part), 5, str(target))

    (tmp_path / "out.png").write_bytes(b"what stood there")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="Access is denied.*: close the program that has it open") as error:
        output(tmp_path / "out.png")
    one_sentence(error)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"what stood there"]


def test_lone_surrogates_are_written_as_escapes(picture, tmp_path):
    save_png(picture, tmp_path / "out.png", {"name": "caf\udce9.png"})
    write_text(tmp_path / "out.json", "caf\udce9.png")
    assert read_metadata(tmp_path / "out.png") == {"name": "caf\\udce9.png"}
    assert (tmp_path / "out.json").read_text() == "caf\\udce9.png"


def test_a_picture_without_text_has_no_metadata(picture, tmp_path):
    save_png(picture, tmp_path / "out.png")
    picture.save(tmp_path / "out.jpg")
    assert read_metadata(tmp_path / "out.png") == {} and read_metadata(tmp_path / "out.jpg") == {}


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_metadata_of_no_picture_is_an_error(tmp_path, content):
    (tmp_path / "p.png").write_bytes(content)
    for path in (tmp_path / "p.png", tmp_path / "none.png", tmp_path):
        with pytest.raises(ImageError) as error:
            read_metadata(path)
        one_sentence(error)


def test_the_same_picture_gives_the_same_bytes(picture, tmp_path):
    save_png(picture, tmp_path / "a.png", METADATA)
    save_png(picture, tmp_path / "b.png", METADATA)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_text_files_are_utf8_with_their_line_ends(tmp_path):
    write_text(tmp_path / "out.json", "a → b\nc\r\n")
    assert (tmp_path / "out.json").read_bytes() == "a → b\nc\r\n".encode()


def test_of_files_that_belong_together_all_are_written_or_none(tmp_path):
    (tmp_path / "a.json").write_text("old")
    for last in ("missing/b.png", "a.json/b.png"):
        with pytest.raises(OutputError):
            write_files({tmp_path / "a.json": "new", tmp_path / last: b"new"})
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
    write_files({tmp_path / "a.json": "ñew", tmp_path / "b.png": b"new"})
    assert (tmp_path / "a.json").read_text("utf-8") == "ñew" and (tmp_path / "b.png").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["mask", "out.PNG", "v1.2", "out.png.bak"])
def test_names_that_promise_no_other_format_are_fine(picture, tmp_path, name):
    save_png(picture, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["out.jpg", "out.JPEG", "out.webp", "out.gif"])
def test_a_png_is_not_written_under_another_formats_name(picture, tmp_path, name):
    with pytest.raises(OutputError, match="ends in .png") as error:
        save_png(picture, tmp_path / name)
    one_sentence(error)
    assert list(tmp_path.iterdir()) == []


def save(path: Path) -> None:
    save_png(Image.new("RGB", (64, 64), "teal"), path, METADATA)


def write(path: Path) -> None:
    write_text(path, "some text\n" * 10_000)


@pytest.fixture(params=[save, write])
def output(request):
    """Both ways of writing a file."""
    return request.param


def test_an_existing_file_is_replaced(output, tmp_path):
    (tmp_path / "out.png").write_text("old")
    output(tmp_path / "out.png")
    assert len((tmp_path / "out.png").read_bytes()) > 3 and len(list(tmp_path.iterdir())) == 1


def test_a_link_is_followed(output, tmp_path):
    (tmp_path / "real.png").write_text("old")
    (tmp_path / "link.png").symlink_to("real.png")
    output(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "real.png").stat().st_size > 3


def test_the_file_has_the_rights_that_the_umask_gives(output, tmp_path):
    (tmp_path / "plain").touch()
    output(tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_missing_folder_is_named(output, tmp_path):
    with pytest.raises(OutputError, match="There is no folder .*missing") as error:
        output(tmp_path / "missing" / "out.png")
    one_sentence(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a\0b.png"])
def test_a_name_that_cannot_be_is_refused(output, tmp_path, name):
    for write in (output, check_output):
        with pytest.raises(OutputError, match="cannot be written") as error:
            write(tmp_path / name)
        one_sentence(error)


def test_a_folder_is_no_file_to_write(output, tmp_path):
    with pytest.raises(OutputError, match="is a folder") as error:
        output(tmp_path)
    one_sentence(error)


def test_a_file_is_no_folder_to_write_in(output, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        output(tmp_path / "file" / "out.png")


def test_a_device_is_not_replaced(output):
    with pytest.raises(OutputError, match="no ordinary file"):
        output(Path(os.devnull))
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(output, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        output(tmp_path / "out.png")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_without_rights_is_refused(output, tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(images, "open", refuse, raising=False)
    with pytest.raises(OutputError, match=f"cannot be written .{os.strerror(number)}") as error:
        output(tmp_path / "out.png")
    one_sentence(error)


# ------------------------------------------------------------------------------------------------- before it goes out
@pytest.mark.parametrize("name", ["out.png", "out.PNG", "v1.2.png", "a b.png", "out.mask.png"])
def test_a_good_name_is_a_path(tmp_path, name):
    assert check_output(str(tmp_path / name)) == tmp_path / name
    assert list(tmp_path.iterdir()) == []


def test_names_begin_at_home_or_here(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert check_output("~/out.png") == tmp_path / "out.png" and check_output("out.png") == Path("out.png")


@pytest.mark.parametrize("name", ["", ".", "/", "..", "out", "out.jpg", "notes.txt", "photo.v2", ".png", "png", "out.json", "out.png.bak"])
def test_a_name_that_is_none_of_a_png_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for check in (check_output, result_files):
        with pytest.raises(OutputError, match="ends in .png") as error:
            check(name)
        one_sentence(error)
        with pytest.raises(OutputError, match="ends in .png"):
            check(Path(name))


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path, words in ((tmp_path / "no" / "out.png", "no folder .*no"), (tmp_path / "folder.png", "is a folder"),
                        (tmp_path / "file" / "out.png", "folder|cannot")):  # fmt: skip
        with pytest.raises(OutputError, match=words) as error:
            check_output(path)
        one_sentence(error)
    monkeypatch.setattr(images.os, "access", lambda place, how: Path(place) != tmp_path)
    with pytest.raises(OutputError, match="takes no new files: write somewhere else") as error:
        check_output(tmp_path / "out.png")
    one_sentence(error)


@pytest.mark.parametrize("beside", ["out.json", "out.mask.png"])
def test_what_goes_beside_a_result_is_checked_too(tmp_path, beside):
    assert result_files(tmp_path / "out.png") == tuple(tmp_path / name for name in ("out.png", "out.json", "out.mask.png"))
    (tmp_path / beside).mkdir()
    with pytest.raises(OutputError, match=f"{beside}. is a folder"):
        result_files(tmp_path / "out.png")
    with pytest.raises(OutputError, match="mask.png. cannot be written"):
        result_files(tmp_path / ("x" * 250 + ".png"))


@pytest.mark.parametrize("kept", ["out.png", "out.json", "out.mask.png"])
@pytest.mark.parametrize("way", ["itself", "link", "dots", "home"])
def test_what_is_to_be_kept_is_not_overwritten(tmp_path, monkeypatch, kept, way):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "folder").mkdir()
    (tmp_path / kept).write_text("old")
    out = tmp_path / "out.png"
    if way == "link":
        (tmp_path / "folder" / kept).symlink_to(tmp_path / kept)
        out = tmp_path / "folder" / "out.png"
    elif way == "dots":
        out = tmp_path / "folder" / ".." / "out.png"
    keep = [Path("~") / kept] if way == "home" else [tmp_path / "other.png", tmp_path / kept]
    with pytest.raises(OutputError, match=f"{kept}. would overwrite .*: choose another name") as error:
        result_files(out, keep)
    one_sentence(error)
    result_files(tmp_path / "else.png", keep)
    (tmp_path / kept).unlink()
    if way != "link":
        with pytest.raises(OutputError, match="overwrite"):  # though it is not there yet
            result_files(out, keep)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(output, tmp_path):
    """A limit on the size of files fails the write half way, as a full disk does, whoever runs it."""
    (tmp_path / "out.png").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match="free some space") as error:
            output(tmp_path / "out.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    one_sentence(error)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_text() == "old"


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (OSError("encoder error -2 when writing image file"), OutputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (MemoryError(), MemoryError),
    ],
)
@pytest.mark.parametrize("when", ["while writing", "while replacing"])
def test_whatever_happens_no_half_file_stays(output, tmp_path, monkeypatch, problem, expected, when):
    seen = []

    def fail(*_, **__):
        seen.extend(path.name for path in tmp_path.iterdir())
        raise problem

    (tmp_path / "out.png").write_text("old")
    if when == "while replacing":
        monkeypatch.setattr(images.os, "replace", fail)
    else:
        full = type("Full", (io.FileIO,), {"write": fail})
        monkeypatch.setattr(images, "open", full, raising=False)
    with pytest.raises(expected) as error:
        output(tmp_path / "out.png")
    if expected is OutputError:
        one_sentence(error)
    assert len(seen) == 2, "the new file grows beside the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_text() == "old"
