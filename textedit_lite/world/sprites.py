"""Draws one object of the small world as an RGBA picture.

Every object is a drawing of a few lines, one function per category and view. Nothing is random: the same arguments give
the same pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from ..errors import SettingsError
from ..vocabulary import COLOUR_RGB
from . import sprites_animals as animals
from . import sprites_things as things
from . import sprites_vehicles as vehicles
from .sprites_pen import Pen

FILL = 0.92  # longest side of an object, as a fraction of its canvas
SUPERSAMPLING = 3
SHADING = 0.12  # how much lighter the upper left and darker the lower right becomes

_DRAWINGS = {
    "car": {"front": vehicles.car_front, "side": vehicles.car_side},
    "bus": {"front": vehicles.bus_front, "side": vehicles.bus_side},
    "boat": {"front": vehicles.boat_front, "side": vehicles.boat_side},
    "airplane": {"front": vehicles.airplane_front, "side": vehicles.airplane_side},
    "chair": {"front": things.chair_front, "side": things.chair_side},
    "cup": {"front": things.cup_front, "side": things.cup_side},
    "umbrella": {"front": things.umbrella_front, "side": things.umbrella_side},
    "clock": {"front": things.clock_front, "side": things.clock_side},
    "teddy bear": {"front": animals.teddy_front, "side": animals.teddy_side},
    "bird": {"front": animals.bird_front, "side": animals.bird_side},
    "fire hydrant": {"front": things.hydrant_front, "side": things.hydrant_side},
    "suitcase": {"front": things.suitcase_front, "side": things.suitcase_side},
}
CATEGORIES: tuple[str, ...] = tuple(_DRAWINGS)


def _shaded(image: Image.Image) -> Image.Image:
    """Light from the upper left: a gradient over the canvas, and a relief along the silhouette's edge."""
    size = image.width
    pixels = np.asarray(image).astype(np.float32)
    ramp = np.linspace(1, -1, size, dtype=np.float32)
    light = 0.35 * ramp[None, :] + 0.65 * ramp[:, None]
    step = max(1, round(0.03 * size))
    soft = np.asarray(image.getchannel("A").filter(ImageFilter.BoxBlur(0.04 * size)), dtype=np.float32) / 255
    padded = np.pad(soft, step)
    relief = padded[2 * step :, 2 * step :] - padded[: -2 * step, : -2 * step]
    pixels[..., :3] *= 1 + SHADING * np.clip(light + 0.8 * relief, -1.2, 1.2)[..., None]
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


@lru_cache(maxsize=256)
def sprite(category: str, colour: str, view: str, size: int = 256) -> Image.Image:
    """One object, upright, on a transparent canvas of `size` by `size` pixels.

    The object's bounding box is centred and its longest side is 0.92 of the canvas in both views, so one view fits in
    the other's place. Side views face right. Only antialiased edges are partly transparent; there is no cast shadow.
    The picture is cached and shared: copy it before you draw on it. Raises SettingsError for an unknown category,
    colour or view. Taught in notebook 01.
    """
    if category not in _DRAWINGS or colour not in COLOUR_RGB or view not in _DRAWINGS[category]:
        raise SettingsError(
            f"Ask for one of {', '.join(CATEGORIES)} in {', '.join(COLOUR_RGB)}, from the front or side; "
            f"there is no {colour!r} {category!r} in view {view!r}."
        )
    pen = Pen(SUPERSAMPLING * size, colour)
    _DRAWINGS[category][view](pen)
    left, top, right, bottom = pen.image.getchannel("A").getbbox()
    scale = FILL * size / max(right - left, bottom - top)
    # An even difference to the canvas on both axes keeps the bounding box exactly in the middle.
    width, height = (size - 2 * round((size - scale * side) / 2) for side in (right - left, bottom - top))
    small = pen.image.resize((width, height), Image.Resampling.BOX, box=(left, top, right, bottom))
    canvas = Image.new("RGBA", (size, size))
    canvas.paste(small, ((size - width) // 2, (size - height) // 2))
    return _shaded(canvas)
