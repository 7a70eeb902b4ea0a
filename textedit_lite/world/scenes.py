"""Makes and draws scenes, and knows the truth about them: masks, boxes, relations, captions, ideal edits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from ..errors import SettingsError
from ..vocabulary import COLOURS, POSE_DEGREES, POSES, VIEWS, describe
from .backgrounds import KINDS, Background, draw_background, make_background
from .sprites import CATEGORIES, sprite

# The split is part of every scene's random seed, so that no scene of one split can occur in another.
SPLITS = {"train": 101, "validation": 102, "test": 103}
SIZE_RANGE = (0.22, 0.44)  # side of an object's canvas, as a fraction of the picture's short side
MAX_HIDDEN = 0.4  # how much of an object's box others may cover
MAX_OUTSIDE = 0.25  # how much of an object's canvas may lie outside of the picture
HANGING = ("airplane", "bird", "clock", "umbrella")  # these may float above the horizon


@dataclass(frozen=True)
class SceneObject:
    """One object; `x`, `y` (its centre) and `size` (its canvas) are fractions of the picture's short side."""

    category: str
    colour: str
    view: str
    pose: str
    x: float
    y: float
    size: float

    @property
    def caption(self) -> str:
        return describe(self.category, self.colour, self.view, self.pose)


@dataclass(frozen=True)
class Scene:
    """A scene: what reproduces it (split, seed, index), its size in pixels, its background, and its objects, back to front."""

    split: str
    seed: int
    index: int
    width: int
    height: int
    background: Background
    objects: tuple[SceneObject, ...]

    @property
    def unit(self) -> int:
        return min(self.width, self.height)


# --- drawing -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)  # a scene is drawn several times, and another one seldom has an object of the same size
def stamp(category: str, colour: str, view: str, pose: str, side: int) -> Image.Image:
    """One object in its pose, RGBA; the canvas is 4/3 of `side` pixels, so that a tilted object still fits."""
    drawn = sprite(category, colour, view).resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    canvas = Image.new("RGBA", (round(side * 4 / 3),) * 2)
    canvas.paste(drawn, ((canvas.width - side) // 2,) * 2)
    if pose == "upside down":
        return canvas.transpose(Image.Transpose.ROTATE_180)
    return canvas.rotate(POSE_DEGREES[pose], Image.Resampling.BICUBIC) if POSE_DEGREES[pose] else canvas


@lru_cache(maxsize=4096)
def _extent(category: str, view: str, pose: str) -> tuple[float, float, float, float]:
    """Box of an object's opaque pixels around its centre, xyxy, for a canvas of side 1."""
    side = 120
    alpha = np.asarray(stamp(category, COLOURS[0], view, pose, side).getchannel("A")) > 127
    ys, xs = np.nonzero(alpha)
    centre = alpha.shape[0] / 2
    return tuple((v - centre) / side for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))


@lru_cache(maxsize=512)
def _soft_shadow(category: str, view: str, pose: str, side: int) -> Image.Image:
    """The shadow of an object that hangs on a wall: its blurred silhouette, mode L."""
    alpha = stamp(category, COLOURS[0], view, pose, side).getchannel("A")
    small = alpha.reduce(4).filter(ImageFilter.GaussianBlur(side / 100))
    return small.resize(alpha.size, Image.Resampling.BILINEAR).point(lambda v: v * 0.28)


@lru_cache(maxsize=512)
def _contact_shadow(width: int, height: int) -> Image.Image:
    """The shadow under a standing object: a soft ellipse, mode L."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return Image.fromarray((110 * np.clip(1 - (x * x + y * y), 0, 1) ** 0.8).astype(np.uint8))


def _placement(scene: Scene, thing: SceneObject) -> tuple[Image.Image, tuple[int, int]]:
    side = max(8, round(thing.size * scene.unit))
    drawn = stamp(thing.category, thing.colour, thing.view, thing.pose, side)
    corner = (round(thing.x * scene.unit - drawn.width / 2), round(thing.y * scene.unit - drawn.height / 2))
    return drawn, corner


def _stands(background: Background, thing: SceneObject, height: float) -> bool:
    """Whether an object stands on the ground; `height`: the picture's, in short sides."""
    if background.horizon is None:
        return False
    bottom = thing.y + thing.size * _extent(thing.category, thing.view, thing.pose)[3]
    return bottom > background.horizon * height


def _draw_shadow(image: Image.Image, scene: Scene, thing: SceneObject, corner: tuple[int, int], origin: tuple[int, int]) -> None:
    side = max(8, round(thing.size * scene.unit))
    if _stands(scene.background, thing, scene.height / scene.unit):
        x0, _, x1, y1 = (v * side for v in _extent(thing.category, thing.view, thing.pose))
        shadow = _contact_shadow(max(4, round((x1 - x0) * 1.1)), max(3, round(side * 0.13)))
        at = (round(thing.x * scene.unit + (x0 + x1 - shadow.width) / 2),
              round(thing.y * scene.unit + y1 - shadow.height * 0.6))
    elif scene.background.horizon is None:
        shadow = _soft_shadow(thing.category, thing.view, thing.pose, side)
        at = (corner[0] + round(side * 0.03), corner[1] + round(side * 0.04))
    else:
        return  # nothing to throw a shadow on in the open air
    image.paste((40, 40, 52), (at[0] - origin[0], at[1] - origin[1]), shadow)


@lru_cache(maxsize=8)
def _background(background: Background, width: int, height: int) -> Image.Image:
    return draw_background(background, width, height)


def render(scene: Scene, window: tuple[int, int, int, int] | None = None) -> Image.Image:
    """Draw the scene, RGB, or only a window (xyxy pixels) of it. The same scene always gives the same pixels.

    Taught in notebook 01.
    """
    window = window or (0, 0, scene.width, scene.height)
    image = _background(scene.background, scene.width, scene.height).crop(window)
    for thing in scene.objects:
        drawn, corner = _placement(scene, thing)
        _draw_shadow(image, scene, thing, corner, window[:2])
        image.paste(drawn, (corner[0] - window[0], corner[1] - window[1]), drawn)
    return image


# --- truth -------------------------------------------------------------------------------------------------------


def full_mask(scene: Scene, index: int) -> np.ndarray:
    """Pixels of one object as if nothing stood before it: uint8 {0, 1} [H, W]."""
    drawn, corner = _placement(scene, scene.objects[index])
    canvas = Image.new("L", (scene.width, scene.height))
    canvas.paste(drawn.getchannel("A"), corner)
    return (np.asarray(canvas) > 127).astype(np.uint8)


def visible_masks(scene: Scene) -> np.ndarray:
    """Visible pixels of every object, back to front: uint8 {0, 1} [N, H, W]. Taught in notebook 07."""
    masks = np.zeros((len(scene.objects), scene.height, scene.width), np.uint8)
    covered = np.zeros((scene.height, scene.width), np.uint8)
    for i in range(len(scene.objects) - 1, -1, -1):
        full = full_mask(scene, i)
        masks[i] = full & (1 - covered)
        covered |= full
    return masks


def mask_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Box of a mask's pixels, xyxy; all zeros for an empty mask."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def boxes(scene: Scene) -> np.ndarray:
    """Boxes of the visible parts, back to front: float32 [N, 4], xyxy pixels. Taught in notebook 01."""
    return np.array([mask_box(mask) for mask in visible_masks(scene)], np.float32).reshape(-1, 4)


def relations(scene: Scene) -> list[tuple[int, str, int]]:
    """Plain spatial relations (i, "left of" | "right of" | "above" | "below" | "in front of", j)."""
    found = []
    extents = [_object_box(thing) for thing in scene.objects]
    for i, a in enumerate(scene.objects):
        for j, b in enumerate(scene.objects):
            if i == j:
                continue
            margin = 0.3 * (a.size + b.size)
            if b.x - a.x > margin:
                found.append((i, "left of", j))
            if a.x - b.x > margin:
                found.append((i, "right of", j))
            if b.y - a.y > margin:
                found.append((i, "above", j))
            if a.y - b.y > margin:
                found.append((i, "below", j))
            if i > j and _overlap(extents[i], extents[j]) > 0:
                found.append((i, "in front of", j))
    return found


def captions(scene: Scene) -> list[str]:
    """Two captions: one names the place and its objects, the other describes each object in full."""
    place = KINDS[scene.background.kind][2]
    short = [describe(thing.category, thing.colour) for thing in scene.objects]
    full = [thing.caption for thing in scene.objects]
    return [f"{_enumerate(short)} {place}", _enumerate(full)]


def _enumerate(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


# --- making ------------------------------------------------------------------------------------------------------


def _object_box(thing: SceneObject) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (v * thing.size for v in _extent(thing.category, thing.view, thing.pose))
    return thing.x + x0, thing.y + y0, thing.x + x1, thing.y + y1


def _overlap(a: tuple, b: tuple) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: tuple) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _attributes(rng: np.random.Generator, others: list[SceneObject]) -> tuple[str, str, str, str]:
    """Attributes by lot; now and then of a category that is there already, so that choosing an object is a real task."""
    category, colour = str(rng.choice(CATEGORIES)), str(rng.choice(COLOURS))
    if others and rng.random() < 0.3:
        twin = others[rng.integers(len(others))]
        category = twin.category
        if rng.random() < 0.25:
            colour = twin.colour
    pose = str(rng.choice(list(POSES), p=[0.5, 0.25, 0.25]))
    return category, colour, str(rng.choice(list(VIEWS))), pose


def make_scene(index: int, split: str = "test", seed: int = 0, size: int | tuple[int, int] = 256) -> Scene:
    """Scene number `index` of a split: 1 to 6 objects, deterministic from (split, seed, index).

    size: side of a square picture, or (width, height), in pixels. Objects measure 22 to 44 % of the short side; each
    keeps at least 60 % of its box free of others and 75 % of its canvas inside of the picture.
    Raises SettingsError for an unknown split or a picture under 64 pixels. Taught in notebook 01.
    """
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    width, height = (size, size) if isinstance(size, int) else size
    if min(width, height) < 64:
        raise SettingsError(f"A scene of {width}x{height} pixels is too small to draw: ask for at least 64 pixels a side.")
    rng = np.random.default_rng([SPLITS[split], seed, index])
    unit = min(width, height)
    w, h = width / unit, height / unit
    background = make_background(rng)
    wanted = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.12, 0.2, 0.24, 0.2, 0.14, 0.1]))
    objects: list[SceneObject] = []
    hidden: list[float] = []
    for _ in range(wanted * 12):
        if len(objects) == wanted:
            break
        category, colour, view, pose = _attributes(rng, objects)
        thing = SceneObject(category, colour, view, pose, 0.0, 0.0, round(float(rng.uniform(*SIZE_RANGE)), 4))
        reach = thing.size * (0.5 - MAX_OUTSIDE)
        x, y = rng.uniform(reach, w - reach), rng.uniform(reach, h - reach)
        grounded = background.horizon is not None and category not in HANGING
        if grounded:  # its foot lies on the ground
            foot = rng.uniform(background.horizon * h + 0.04, h * 1.02)
            y = foot - thing.size * _extent(category, view, pose)[3]
        thing = replace(thing, x=round(float(x), 4), y=round(float(y), 4))
        box = _object_box(thing)
        inside = _overlap(box, (0, 0, w, h)) / _area(box)
        covers = [h0 + _overlap(box, _object_box(o)) / _area(_object_box(o)) for h0, o in zip(hidden, objects)]
        if inside < 1 - MAX_OUTSIDE or any(c > MAX_HIDDEN for c in covers):
            continue
        objects.append(thing)
        hidden = [*covers, 0.0]
    return Scene(split, seed, index, width, height, background, tuple(objects))


def changed(scene: Scene, index: int, **attributes: str) -> Scene:
    """The scene with attributes (category, colour, view, pose) of one object replaced; all else stays. Taught in notebook 04."""
    things = list(scene.objects)
    things[index] = replace(things[index], **attributes)
    return replace(scene, objects=tuple(things))


def ideal_edit(scene: Scene, index: int, change: dict[str, str]) -> Image.Image:
    """What a perfect editor would return: the scene with just that object changed, drawn. Taught in notebook 05."""
    return render(changed(scene, index, **change))
