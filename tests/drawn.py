"""What several files of tests look at: a scene of four things, and the mask of a box."""

from __future__ import annotations

from PIL import Image

from textedit_lite.world.backgrounds import Background
from textedit_lite.world.scenes import Scene, SceneObject

THINGS = (
    SceneObject("car", "red", "side", "upright", 0.25, 0.3, 0.36),
    SceneObject("car", "blue", "side", "upright", 0.72, 0.35, 0.4),
    SceneObject("cup", "green", "front", "upright", 0.3, 0.75, 0.3),
    SceneObject("bus", "yellow", "side", "upright", 0.72, 0.76, 0.4),
)
SCENE = Scene("test", 0, 0, 256, 256, Background("gradient", 5, None), THINGS)


def box_mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """The mask of a box (xyxy, pixels) in a picture of `size` (width, height), with plain PIL."""
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask
