"""Makes edits that are flawed in known ways: good ones blurred, moved, bent, ..., wrong ones, and places with nothing left."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from ..boxes import grow_box
from ..match import ATTRIBUTES
from ..vocabulary import COLOUR_RGB, TILT_DEGREES
from ..world.scenes import Scene, changed, full_mask, ideal_edit, mask_box, render, visible_masks
from ..world.sprites import CATEGORIES

VALUES = {"category": CATEGORIES, **ATTRIBUTES}
Spoiler = Callable[[Scene, int, dict, np.random.Generator], Image.Image]

# All take (scene, index, change, rng). The spoiled ones show what `change` asks for; the empty ones show no object at all.


def _area(scene: Scene, index: int, change: dict) -> tuple[int, int, int, int]:
    """The box, in pixels, that the object takes before and after, with some air around it."""
    both = full_mask(scene, index) | full_mask(changed(scene, index, **change), index)
    return grow_box(np.array(mask_box(both)), (scene.width, scene.height))


def _paste(scene: Scene, picture: Image.Image, area: tuple[int, int, int, int]) -> Image.Image:
    result = render(scene)
    result.paste(picture.crop(area), area[:2])
    return result


def _cut(scene, index, change, rng):
    """Only what lies in the mask that the editor would build from the object's true box."""
    box = np.array(mask_box(visible_masks(scene)[index]))
    area = grow_box(box, (scene.width, scene.height), degrees=TILT_DEGREES if change.get("pose") == "tilted" else 0.0)
    return _paste(scene, ideal_edit(scene, index, change), area)


def _blurred(scene, index, change, rng, radius=1.3):
    soft = ideal_edit(scene, index, change).filter(ImageFilter.GaussianBlur(radius))
    return _paste(scene, soft, _area(scene, index, change))


def _moved_scene(scene, index, change, rng, far=0.0, smallest=1.0, largest=1.0) -> Scene:
    thing = scene.objects[index]
    dx, dy = rng.uniform(-far, far, 2) * thing.size
    size = thing.size * rng.uniform(smallest, largest)
    return changed(scene, index, **change, x=thing.x + dx, y=thing.y + dy, size=size)


def _moved(scene, index, change, rng):
    return render(_moved_scene(scene, index, change, rng, far=0.1))


def _resized(scene, index, change, rng):
    return render(_moved_scene(scene, index, change, rng, smallest=0.75, largest=1.15))


def _compressed(scene, index, change, rng, quality=40, picture=None):
    file = io.BytesIO()
    (picture or ideal_edit(scene, index, change)).save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _half_other_ground(scene: Scene, rng: np.random.Generator) -> Image.Image:
    """The scene in front of a background that is half another place of the same kind; the objects are not touched."""
    other = replace(scene, background=replace(scene.background, seed=int(rng.integers(2**31))))
    return Image.blend(render(scene), render(other), 0.5)


def _other_ground(scene, index, change, rng, edited=None):
    edited = edited or changed(scene, index, **change)
    return _paste(scene, _half_other_ground(edited, rng), _area(scene, index, change))


def _faded(scene, index, change, rng):
    """Less contrast, and a cast: each channel times 0.88 to 1.08."""
    pixels = np.asarray(ideal_edit(scene, index, change)) * rng.uniform(0.88, 1.08, 3) * 0.9 + 12.8
    return _paste(scene, Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), _area(scene, index, change))


def _grainy(scene, index, change, rng):
    pixels = np.asarray(ideal_edit(scene, index, change)) + rng.normal(0, 14, (scene.height, scene.width, 3))
    return _paste(scene, Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), _area(scene, index, change))


def _bent(scene, index, change, rng, far=0.025):
    """Every part is off by about `far` of the object's canvas, and soft, as by a painter who draws from memory."""
    size = scene.objects[index].size * scene.unit
    pixels = np.asarray(ideal_edit(scene, index, change).filter(ImageFilter.GaussianBlur(0.7)), float)
    field = ndimage.gaussian_filter(rng.normal(size=(2, *pixels.shape[:2])), (0, 0.09 * size, 0.09 * size))
    where = np.indices(pixels.shape[:2]) + far * size * field / field.std()
    bent = [ndimage.map_coordinates(pixels[..., i], where, order=1, mode="nearest") for i in range(3)]
    picture = Image.fromarray(np.stack(bent, -1).clip(0, 255).astype(np.uint8))
    return _paste(scene, picture, _area(scene, index, change))


def _all_at_once(scene, index, change, rng):
    edited = _moved_scene(scene, index, change, rng, far=0.06, smallest=0.85, largest=1.08)
    picture = _other_ground(scene, index, change, rng, edited).filter(ImageFilter.GaussianBlur(0.9))
    return _compressed(scene, index, change, rng, 70, _paste(scene, picture, _area(scene, index, change)))


def _filled(scene, index, change, colour) -> Image.Image:
    x0, y0, x1, y1 = _area(scene, index, change)
    pixels = np.array(render(scene))
    pixels[y0:y1, x0:x1] = colour[: y1 - y0, : x1 - x0] if np.ndim(colour) == 3 else colour
    return Image.fromarray(pixels)


def _alone(scene: Scene, index: int) -> Scene:
    return replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])


def _removed(scene, index, change, rng):
    return render(_alone(scene, index))


def _removed_badly(scene, index, change, rng):
    alone = _alone(scene, index)
    return _paste(scene, _half_other_ground(alone, rng), _area(scene, index, change))


def _grey_box(scene, index, change, rng):
    return _filled(scene, index, change, int(rng.integers(40, 230)))


def _coloured_box(scene, index, change, rng):
    return _filled(scene, index, change, COLOUR_RGB[change.get("colour", scene.objects[index].colour)])


def _noise(scene, index, change, rng):
    return _filled(scene, index, change, rng.integers(0, 256, (scene.height, scene.width, 3), np.uint8))


def _clouds(scene, index, change, rng):
    coarse = Image.fromarray(rng.integers(0, 256, (scene.height // 8, scene.width // 8, 3), np.uint8))
    smooth = coarse.resize((scene.width, scene.height), Image.Resampling.BICUBIC)
    return _filled(scene, index, change, np.asarray(smooth))


def _blot(scene, index, change, rng):
    """The right object, blurred beyond recognition."""
    return _blurred(scene, index, change, rng, 0.14 * scene.objects[index].size * scene.unit)


def _shuffled(scene, index, change, rng):
    """The right object, cut into 16 pieces that change places."""
    pixels = np.asarray(ideal_edit(scene, index, change))
    x0, y0, x1, y1 = _area(scene, index, change)
    h, w = (y1 - y0) // 4, (x1 - x0) // 4
    result = pixels.copy()
    for to, source in enumerate(rng.permutation(16)):
        (a, b), (c, d) = divmod(to, 4), divmod(int(source), 4)
        result[y0 + a * h : y0 + (a + 1) * h, x0 + b * w : x0 + (b + 1) * w] = (
            pixels[y0 + c * h : y0 + (c + 1) * h, x0 + d * w : x0 + (d + 1) * w]
        )  # fmt: skip
    return Image.fromarray(result)


SPOILED: dict[str, Spoiler] = {
    "cut by the mask": _cut, "blurred": _blurred, "moved": _moved, "resized": _resized,
    "jpeg": _compressed, "other background": _other_ground, "faded": _faded, "grainy": _grainy, "bent": _bent,
    "all at once": _all_at_once,
}  # fmt: skip
EMPTY: dict[str, Spoiler] = {
    "removed": _removed, "removed badly": _removed_badly, "grey box": _grey_box, "coloured box": _coloured_box,
    "noise": _noise, "clouds": _clouds, "blot": _blot, "shuffled": _shuffled,
}  # fmt: skip


def wrong_edits(scene: Scene, index: int, change: dict, rng: np.random.Generator) -> dict[str, dict[str, str]]:
    """Edits that an editor might make instead of the one asked for: name -> what such an edit really changes."""
    thing = scene.objects[index]
    wrong: dict[str, dict[str, str]] = {"unedited": {}}
    for name in ("colour", "pose", "view"):
        others = [v for v in VALUES[name] if v not in (getattr(thing, name), change.get(name))]
        if others:
            wrong[f"wrong {name}"] = {name: str(rng.choice(others))}
    wrong["other category"] = {**change, "category": str(rng.choice([v for v in CATEGORIES if v != thing.category]))}
    return wrong
