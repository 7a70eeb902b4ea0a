"""Stage 3: from a box, or from the user's own drawing, to the mask of what is repainted."""

from __future__ import annotations

from numbers import Real

import numpy as np
from PIL import Image

from .boxes import GROW, grow_box
from .errors import MaskError, SettingsError
from .images import ImageSource, open_image
from .vocabulary import TILT_DEGREES


def build_mask(
    size: tuple[int, int], box, pose: str | None = None, grow: float = GROW, view: str | None = None
) -> Image.Image:
    """A mask of the box that is to be repainted: mode L at the picture's size (width, height), 255 = repaint.

    The box (xyxy, pixels) is dilated by `grow` of its longest side on each side, as a detector's box cuts off edges
    and the object's shadow lies outside of it. If the object is to become "tilted" (`pose`: what it changes TO), the
    box is first turned by 24 degrees, so that the turned object has room. If it is to be seen from another side (`view`:
    the view that it changes TO), the box becomes a square, as what is long from the side may be tall from the front.
    Upside down it needs no more room than before. The mask ends at the picture's borders.

    Raises SettingsError for a `grow` outside of 0..1, MaskError for a box without area in the picture.
    Taught in notebook 03.
    """
    check_grow(grow)
    x0, y0, x1, y1 = grow_box(box, size, grow, TILT_DEGREES if pose == "tilted" else 0.0, square=view is not None)
    if x1 <= x0 or y1 <= y0:
        place = ", ".join(f"{float(v):.0f}" for v in box)
        raise MaskError(f"The box ({place}) lies outside of the picture: choose another one.")
    return Image.fromarray(box_mask(size, (x0, y0, x1, y1)))


def box_mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    """The mask of a box in whole pixels, as an array: uint8 [H, W], 255 inside, for a picture of `size` (width, height).

    Half open, as everywhere: column x0 and row y0 belong to it, x1 and y1 do not. Taught in notebook 03.
    """
    x0, y0, x1, y1 = (max(v, 0) for v in box)  # a negative index would count from the other end
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[y0:y1, x0:x1] = 255
    return mask


def check_grow(grow: float) -> None:
    """Raises SettingsError for a share of the box by which no mask can grow."""
    if not (isinstance(grow, Real) and 0 <= grow <= 1):
        raise SettingsError(f"The mask cannot grow by {grow}: give a share of the box from 0 to 1.")


def check_mask(mask: ImageSource, size: tuple[int, int]) -> Image.Image:
    """A user's own mask in black and white: mode L, 255 = repaint where it has 128 or more of 255; what is transparent is 0.

    mask: whatever `open_image` opens; if 1 is its largest value, as in booleans, 1 is white.

    Raises MaskError if its size is not the picture's (width, height), or nothing in it is white, ImageError if it is not
    a picture. Taught in notebook 03.
    """
    mask = open_image(mask, under="black", mask=True)
    if mask.size != tuple(size):
        sizes = f"{mask.width}x{mask.height} pixels and the picture {size[0]}x{size[1]}"
        raise MaskError(f"The mask has {sizes}: give one of the picture's size.")
    hard = mask.convert("L").point([0] * 128 + [255] * 128)
    if hard.getbbox() is None:
        raise MaskError("The mask is empty: paint white what is to be repainted, and leave the rest black.")
    return hard
