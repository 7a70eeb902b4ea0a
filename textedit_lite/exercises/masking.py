"""The exercises of notebook 03: the mask of a box, the room that it needs, the feather, the paste, the ring around it, the window."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from .. import plots
from ..blend import feather, mix, ring
from ..boxes import context_window, grow_box
from ..mask import box_mask
from ..vocabulary import TILT_DEGREES
from ..world.scenes import make_scene, render
from .exercise import Exercise, difference

# --- inputs ------------------------------------------------------------------------------------------------------


def _whole_boxes(rng: np.random.Generator):
    """A picture's size and a box in whole pixels: inside, one pixel, none, beyond each border, outside, and random ones."""
    yield (6, 4), (1, 1, 4, 3)
    yield (5, 3), (2, 1, 3, 2)
    for box in ((3, 2, 3, 9), (-4, -2, 3, 2), (4, 3, 20, 20), (-9, -9, 90, 90), (-6, 0, -2, 4), (12, 1, 15, 3)):
        yield (8, 6), box
    for _ in range(6):
        width, height = (int(v) for v in rng.integers(3, 60, 2))
        (x0, x1), (y0, y1) = (sorted(int(v) for v in rng.integers(-10, extent + 10, 2)) for extent in (width, height))
        yield (width, height), (x0, y0, x1, y1)


def _objects(rng: np.random.Generator):
    """A box, a picture's size, how far to grow, an angle, and whether square; no edge so near to a whole pixel that rounding decides."""
    size = (240, 160)
    by_hand = [([60.3, 40.2, 139.6, 80.4], size, 0.08, 0.0, False), ([60.3, 40.2, 139.6, 80.4], size, 0.0, 24.0, False),
               ([60.3, 20.2, 100.6, 139.4], size, 0.1, 24.0, False), ([60.3, 60.2, 139.6, 80.4], size, 0.05, 0.0, True),
               ([1.2, 2.3, 60.6, 20.7], size, 0.25, 0.0, False), ([190.2, 120.3, 238.6, 158.7], size, 0.25, 24.0, True)]  # fmt: skip
    made = 0
    while by_hand or made < 12:
        if by_hand:
            box, extent, grow, degrees, square = by_hand.pop(0)
        else:
            made += 1
            extent = tuple(int(v) for v in rng.integers(80, 400, 2))
            corner, sides = rng.uniform(0, 0.8, 2) * extent, rng.uniform(0.1, 0.5, 2) * extent
            box = np.concatenate([corner, corner + sides]).round(1).tolist()
            grow, degrees = round(float(rng.uniform(0, 0.4)), 3), float(rng.choice([0, 10, 24, 45, 90]))
            square = bool(rng.integers(2))
        edges = _grown(box, grow, degrees, square)
        if all(abs(v - round(v)) > 1e-3 for v in edges):
            yield np.array(box, np.float32), extent, grow, degrees, square


def _grown(box, grow: float, degrees: float, square: bool) -> tuple[float, ...]:
    """The edges of a grown box before they are rounded and cut."""
    x0, y0, x1, y1 = box
    w, h, t, margin = x1 - x0, y1 - y0, math.radians(degrees), grow * max(x1 - x0, y1 - y0)
    w, h = w * math.cos(t) + h * math.sin(t), w * math.sin(t) + h * math.cos(t)
    w, h = (max(w, h), max(w, h)) if square else (w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w / 2 + margin, h / 2 + margin
    return cx - w, cy - h, cx + w, cy + h


def _masks(rng: np.random.Generator):
    """A mask and a radius: a box inside and one at the border, greys, no feather, all, nothing, and blobs."""
    inside, border = np.zeros((9, 12), np.uint8), np.zeros((12, 9), np.uint8)
    inside[2:7, 2:10] = border[:, :5] = 255
    yield inside, 2
    yield border, 2
    yield np.array([[0, 127, 128, 255], [0, 127, 128, 255]], np.uint8), 1
    yield inside, 0
    yield np.full((4, 6), 255, np.uint8), 3
    yield np.zeros((4, 6), np.uint8), 3
    for radius in (1, 3.5, 8):
        yield _blob(rng).astype(np.uint8) * 255, radius


def _blob(rng: np.random.Generator) -> np.ndarray:
    """Some boxes and discs on a picture that is not square: bool [H, W]."""
    height, width = (int(v) for v in rng.integers(20, 50, 2))
    y, x = np.mgrid[:height, :width]
    blob = np.zeros((height, width), bool)
    for _ in range(3):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(3, 9)
        blob |= (np.abs(y - cy) < r) & (np.abs(x - cx) < r) if rng.random() < 0.5 else np.hypot(y - cy, x - cx) < r
    blob[:2, :] = False  # so that something is always outside
    return blob


def _paintings(rng: np.random.Generator):
    """Two pictures of one size and the weight of the second: by hand, 0 and 1, one pixel, and random ones."""
    before = np.array([[[10, 200, 0], [10, 200, 0]]], np.uint8)
    after = np.array([[[20, 100, 255], [20, 100, 255]]], np.uint8)
    yield before, after, np.array([[0.0, 0.38]], np.float32)
    yield before[:, :1], after[:, :1], np.ones((1, 1), np.float32)
    for height, width in ((5, 8), (20, 13)):
        pair = (rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2))
        weight = rng.uniform(0, 1, (height, width)).astype(np.float32)
        weight[rng.random(weight.shape) < 0.3] = 0
        weight[rng.random(weight.shape) < 0.2] = 1
        yield *pair, weight


def _rounded(expected, got, arguments) -> str | None:
    """Exact where the weight is 0 or 1; in between, half a level is left to the order of the arithmetic."""
    before, after, weight = arguments
    if problem := difference(expected.astype(np.uint8) * 0, np.asarray(got) * 0, arguments):
        return problem
    exact = before.astype(float) + weight.astype(float)[..., None] * (after.astype(float) - before)
    bad = np.abs(got - exact) > np.where((weight == 0) | (weight == 1), 0, 0.5 + 1e-3)[..., None]
    if not bad.any():
        return None
    place = tuple(int(v) for v in np.argwhere(bad)[0])
    numbers = f"before is {before[place]}, after {after[place]}, the weight {weight[place[:2]]:.4g}"
    return f"at {list(place)} it should be {expected[place]}, and is {np.asarray(got)[place]}: {numbers}."


def _ringed(rng: np.random.Generator):
    """A mask and a width: one pixel, one in the corner, none, all, a hole, and blobs."""
    one, corner, hole = (np.zeros((7, 9), bool) for _ in range(3))
    one[3, 4] = corner[0, 0] = True
    hole[1:6, 1:8] = True
    hole[3, 4] = False
    yield one, 2
    yield corner, 1
    yield hole, 1
    yield np.zeros((4, 6), bool), 2
    yield np.ones((4, 6), bool), 2
    for width in (1, 2, 4):
        yield _blob(rng), width


# --- pictures of the tasks ---------------------------------------------------------------------------------------


def _cells(ax, values: np.ndarray, title: str, **style) -> None:
    """A small array as squares with their numbers, and its indexes."""
    ax.imshow(values, **style)
    middle = (style.get("vmin", 0) + style.get("vmax", 255)) / 2
    for (y, x), value in np.ndenumerate(values):
        ax.text(x, y, str(value), ha="center", va="center", fontsize=7, color="white" if value < middle else "0.1")
    ax.set_xticks(range(values.shape[1]))
    ax.set_yticks(range(values.shape[0]))
    ax.tick_params(length=0, labelsize=8)
    ax.set_title(title, fontsize=9)


def _draw_box_mask():
    figure, axes = plots.panels(1, 2, width=3, height=2.4)
    for ax, box in zip(axes, ((1, 1, 4, 3), (3, -2, 9, 2))):
        _cells(ax, box_mask((6, 4), box), f"size (6, 4), box {box}", cmap="gray", vmin=0, vmax=255)
    return figure


def _draw_grow():
    from matplotlib.patches import Polygon, Rectangle

    figure, axes = plots.panels(1, 3, width=2.5, height=2.2)
    box, size = np.array([60, 50, 140, 90], np.float32), (200, 140)
    titles = {"grow = 0.1": (0.1, 0.0, False), "degrees = 24": (0.0, TILT_DEGREES, False), "square = True": (0.0, 0.0, True)}
    for ax, (title, options) in zip(axes, titles.items()):
        x0, y0, x1, y1 = grow_box(box, size, *options)
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="#f3c4d4", linewidth=0))
        t = math.radians(-options[1])
        turned = [(100 + a * math.cos(t) - b * math.sin(t), 70 + a * math.sin(t) + b * math.cos(t))
                  for a, b in ((-40, -20), (40, -20), (40, 20), (-40, 20))]  # fmt: skip
        ax.add_patch(Rectangle((60, 50), 80, 40, fill=False, edgecolor=plots.OTHER, linewidth=1.5))
        if options[1]:
            ax.add_patch(Polygon(turned, fill=False, edgecolor=plots.CHOSEN, linewidth=1.5, linestyle="--"))
        ax.set(xlim=(30, 170), ylim=(125, 15), aspect="equal")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    figure.suptitle("blue: the box of the object; pink: the box of its mask", fontsize=9)
    return figure


def _draw_feather():
    mask = np.zeros((24, 40), np.uint8)
    mask[4:20, :30] = 255
    weight = feather(Image.fromarray(mask), 5)
    figure, (ax, bx) = plots.panels(1, 2, width=3.2, height=2.2)
    plots.show(weight * 255, "the weight: it fades inwards, but\nnot at the picture's own border", ax)
    ax.contour(mask, [127], colors=plots.CHOSEN, linewidths=1.5)
    bx.axvspan(-0.5, 29.5, color=plots.MASK, alpha=0.12)
    bx.plot(weight[12], "o-", markersize=3, color=plots.OTHER)
    bx.set(xlim=(15, 39), xlabel="column (pink: inside of the mask)")
    bx.set_title("row 12, radius 5", fontsize=9)
    return figure


def _draw_mix():
    image = render(make_scene(81)).crop((0, 118, 128, 214))
    before, after = np.asarray(image), np.full((96, 128, 3), (214, 51, 108), np.uint8)
    weight = feather(Image.fromarray(box_mask((128, 96), (16, 16, 112, 80))), 14)
    pictures = [before, after, weight * 255, mix(before, after, weight)]
    return plots.image_grid(pictures, ["before", "after", "weight (black 0, white 1)", "the mixture"], side=1.9)


def _draw_ring():
    mask = np.zeros((7, 10), bool)
    mask[2:5, 0:3] = mask[3, 3] = True
    figure, axes = plots.panels(1, 3, width=2.6, height=2)
    for ax, width in zip(axes, (1, 2, 3)):
        shown = np.where(mask, 0.0, np.where(ring(mask, width), 0.6, 1.0))
        ax.imshow(shown, cmap="gray", vmin=-0.2, vmax=1)
        ax.set(xticks=np.arange(-0.5, 10), yticks=np.arange(-0.5, 7), xticklabels=[], yticklabels=[])
        ax.grid(color="0.85", linewidth=0.6)
        ax.tick_params(length=0)
        ax.set_title(f"width = {width}", fontsize=9)
    figure.suptitle("dark: the mask; grey: the ring around it", fontsize=9)
    return figure


def _on_picture(answer, mask, radius):
    return answer(Image.fromarray(mask), radius)


def _feather(mask, radius):
    return feather(Image.fromarray(mask), radius)


def _windows(rng: np.random.Generator):
    """In the middle, at each border, tiny, as large as the picture, in pictures longer than wide; and random ones."""
    size = (256, 256)
    yield from (((100, 90, 141, 150), size), ((0, 10, 50, 60), size), ((220, 200, 256, 250), size), ((30, 0, 61, 43), size))
    yield from (((120, 120, 125, 123), size), ((0, 0, 256, 256), size), ((40, 0, 110, 100), (300, 100)), ((5, 60, 95, 331), (97, 400)))
    for _ in range(10):
        width, height = (int(v) for v in rng.integers(80, 500, 2))
        w, h = int(rng.integers(2, width)), int(rng.integers(2, height))
        w, h = (v + 1 if max(w, h) % 3 == 0 and v == max(w, h) else v for v in (w, h))  # 4/3 of it is no whole number
        x, y = int(rng.integers(0, max(1, width - w))), int(rng.integers(0, max(1, height - h)))
        yield (x, y, min(x + w, width), min(y + h, height)), (width, height)


def _draw_window():
    image = render(make_scene(81))
    figure, axes = plots.panels(1, 3, width=2.5, height=2.7)
    titles = ("4/3 of the longest side", "pushed inside", "centred where it does not fit")
    pictures = (image, image, image.crop((0, 60, 256, 160)))
    boxes = ((90, 80, 150, 130), (2, 150, 62, 220), (100, 0, 190, 100))
    for ax, title, picture, box in zip(axes, titles, pictures, boxes, strict=True):
        window = context_window(box, picture.size)
        plots.show(picture, title, ax)
        for corners, colour in ((box, plots.MASK), (window, plots.CHOSEN)):
            x0, y0, x1, y1 = corners
            ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=colour, linewidth=2)
        low, high = (min(0, *window[:2]) - 3 for _ in range(2)), (max(picture.size[i], window[i + 2]) + 3 for i in range(2))
        (x0, y0), (x1, y1) = low, high
        ax.set(xlim=(x0, x1), ylim=(y1, y0))
    return figure


EXERCISES = (
    Exercise("3.1", "The mask of a box", 2, "box_mask", _whole_boxes, box_mask, _draw_box_mask),
    Exercise("3.2", "Room for the object", 4, "grow_box", _objects, grow_box, _draw_grow),
    Exercise("3.3", "The feather that runs inwards", 4, "feather", _masks, _feather, _draw_feather, run=_on_picture),
    Exercise("3.4", "The exact paste", 3, "mix", _paintings, mix, _draw_mix, _rounded),
    Exercise("3.5", "The ring around the mask", 4, "ring", _ringed, ring, _draw_ring),
    Exercise("3.6", "The painter's window", 4, "context_window", _windows, context_window, _draw_window),
)
