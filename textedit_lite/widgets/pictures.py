"""What the panels show, drawn with plain pixels: numbered boxes, the mask over its picture, before and after.

matplotlib's figures (`plots`) look good but take a tenth of a second; a slider that is being dragged needs less.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import reduce

import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

from ..plots import CHOSEN, LARGEST, MASK, OTHER

SIDE = 640  # pixels of the longer side of what is shown
TINTED = "The picture, tinted where it may change."  # what it shows, in words
TINT = 0.5  # how much of the mask's colour lies over what is repainted in full


def png_bytes(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG, packed quickly rather than tightly."""
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=1)
    return data.getvalue()


def scaled(image: Image.Image, side: int = SIDE) -> Image.Image:
    """A picture at the size at which it is shown: its longer side has `side` pixels."""
    factor = side / max(image.size)
    size = tuple(max(1, round(factor * length)) for length in image.size)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def numbered(
    image: Image.Image, boxes, texts: Sequence[str], chosen: int | None = None, side: int = SIDE
) -> Image.Image:
    """A picture with its boxes (xyxy, pixels), each with its number and text; the `chosen` one stands out.

    Taught in notebook 05.
    """
    picture = scaled(image, side)
    draw, factor = ImageDraw.Draw(picture if picture is not image else (picture := image.copy())), side / max(image.size)
    font, taken = ImageFont.load_default(14), []
    order = sorted(range(len(texts)), key=lambda i: i == chosen)  # the chosen one last, on top of the others
    places = {i: tuple(factor * float(v) for v in boxes[i]) for i in order}
    for i, (x0, y0, x1, y1) in places.items():
        colour, line = (CHOSEN, 4) if i == chosen else (OTHER, 2)
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline="white", width=line + 2)  # visible on every background
        draw.rectangle((x0, y0, x1, y1), outline=colour, width=line)
    for i, (x0, y0, _, y1) in places.items():  # the texts on top of all boxes, as many boxes cross each other
        text = f"{i}  {texts[i]}".rstrip()
        wide, tall = draw.textlength(text, font) + 10, 20
        x = min(max(0.0, x0), max(0.0, picture.width - wide))
        tries = (y0 - tall, y1 + 2, y0 + 2, y1 - tall, y0 + tall + 4)
        inside = [y for y in tries if 0 <= y <= picture.height - tall] or [0.0]
        free = [y for y in inside if all(abs(y - b) >= tall or x + wide < a or x > a + w for a, b, w in taken)]
        y = (free or inside)[0]
        taken.append((x, y, wide))
        draw.rectangle((x, y, x + wide, y + tall), fill=CHOSEN if i == chosen else OTHER, outline="white")
        draw.text((x + 5, y + tall / 2), text, fill="white", font=font, anchor="lm")
    return picture


def numbered_words(texts: Sequence[str], chosen: int | None = None) -> str:
    """What a picture with boxes shows (`numbered`), in words."""
    boxes = ", ".join(f"{i} {text}" for i, text in enumerate(texts)) or "none"
    return f"The picture with numbered boxes: {boxes}" + ("." if chosen is None else f"; number {chosen} stands out.")


def tinted(image: Image.Image, weight: np.ndarray | Image.Image, side: int = SIDE) -> Image.Image:
    """A picture, tinted where it is repainted; the tint fades where the feather does.

    weight: float [H, W], 0..1, or a mask (L): of the picture's size, or of the size at which it is shown. A picture of many
    megapixels is made smaller before it is tinted, not after: a slider that is being dragged waits for it. Taught in notebook 05.
    """
    image = scaled(image, side) if max(image.size) > LARGEST else image
    pixels = np.asarray(image, np.float32)
    alpha = TINT * _weight(weight, image.size)[..., None]
    mixed = pixels + alpha * (np.array(ImageColor.getrgb(MASK), np.float32) - pixels)
    return scaled(Image.fromarray(np.rint(mixed).astype(np.uint8)), side)


def wiped(before: Image.Image, after: Image.Image, share: float, side: int = SIDE) -> Image.Image:
    """Two pictures of one size in one: `before` on the left up to `share` (0..1) of the width, `after` right of it.

    Taught in notebook 05.
    """
    picture, over = scaled(after, side).copy(), scaled(before, side)
    edge = round(share * picture.width)
    picture.paste(over.crop((0, 0, edge, picture.height)), (0, 0))
    if 0 < edge < picture.width:
        ImageDraw.Draw(picture).line((edge, 0, edge, picture.height), fill="white", width=2)
    return picture


def wiped_words(share: float) -> str:
    """What two pictures in one show (`wiped`), in words."""
    return f"Before and after: the left {share:.0%} as it was, the rest as it is edited."


def differing(before: Image.Image, after: Image.Image, side: int = SIDE) -> Image.Image:
    """Where two pictures of one size differ: black where they are the same, white from a quarter of the range upwards (L).

    Taught in notebook 08.
    """
    off = reduce(ImageChops.lighter, ImageChops.difference(before, after).split())  # the largest of the three channels
    return scaled(off.point([min(4 * value, 255) for value in range(256)]), side)


def _weight(weight: np.ndarray | Image.Image, size: tuple[int, int]) -> np.ndarray:
    """A weight or a mask as float32 [H, W], 0..1, of `size`."""
    picture = weight if isinstance(weight, Image.Image) else Image.fromarray(np.asarray(weight, np.float32))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.HAMMING, reducing_gap=3)
    return np.asarray(np.asarray(picture) / (1 if picture.mode == "F" else 255), np.float32)
