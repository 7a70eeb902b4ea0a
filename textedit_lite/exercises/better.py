"""The exercises of notebook 07: how alike two shapes are, and a shape that reaches a little further."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..segment import dilate, shape_iou
from .exercise import Exercise

# --- inputs ------------------------------------------------------------------------------------------------------


def _blob(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Some boxes and discs: bool [H, W]."""
    y, x = np.mgrid[:height, :width]
    blob = np.zeros((height, width), bool)
    for _ in range(3):
        cy, cx, r = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2, 8)
        blob |= (np.abs(y - cy) < r) & (np.abs(x - cx) < r) if rng.random() < 0.5 else np.hypot(y - cy, x - cx) < r
    return blob


def _pairs(rng: np.random.Generator):
    """Two shapes of one size: by hand, alike, apart, one or both empty, one pixel, as masks of 0 and 255; and random ones."""
    a, b = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    a[:, :3] = b[:, 1:4] = True
    yield a, b
    yield a, a
    yield a, ~a
    yield a, np.zeros_like(a)
    yield np.zeros_like(a), np.zeros_like(a)
    yield np.ones((1, 1), bool), np.ones((1, 1), bool)
    yield a.astype(np.uint8) * 255, b.astype(np.uint8) * 255
    for _ in range(8):
        size = (int(v) for v in rng.integers(8, 50, 2))
        height, width = size
        pair = (_blob(rng, height, width) for _ in range(2))
        yield tuple(shape.astype(np.uint8) * 255 for shape in pair) if rng.random() < 0.4 else tuple(pair)


def _shapes(rng: np.random.Generator):
    """A shape and a radius: a dot, at the corner, no radius, nothing, everything, halves; and random ones."""
    dot, corner = np.zeros((9, 13), bool), np.zeros((7, 7), bool)
    dot[4, 6] = corner[0, 6] = True
    yield dot, 2
    yield dot, 3.5
    yield dot, 1.5
    yield corner, 3
    yield dot, 0
    yield np.zeros((5, 4), bool), 2
    yield np.ones((4, 5), bool), 2
    for radius in (1, 2.3, 4, 6.5):
        height, width = (int(v) for v in rng.integers(15, 45, 2))
        shape = _blob(rng, height, width)
        shape[height // 2, width // 2] = True  # never empty
        yield shape, radius


# --- pictures ----------------------------------------------------------------------------------------------------


def _draw_iou():
    a, b = np.zeros((6, 9), bool), np.zeros((6, 9), bool)
    a[1:5, 1:6] = b[2:6, 3:8] = True
    figure, axes = plots.panels(1, 3, width=2.4, height=2)
    for ax, title, shown in zip(axes, ("a and b", "a or b", f"IoU = {shape_iou(a, b):.2f}"), (a & b, a | b, None)):
        ax.imshow(np.where(shown if shown is not None else a | b, 0.75, 1.0), cmap="gray", vmin=0, vmax=1)
        for shape, colour in ((a, plots.OTHER), (b, plots.CHOSEN)):
            ax.contour(shape, [0.5], colors=colour, linewidths=1.5)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    return figure


def _draw_dilate():
    shape = np.zeros((15, 23), bool)
    shape[6:9, 4:14] = shape[7, 14:19] = True
    figure, axes = plots.panels(1, 3, width=2.5, height=2)
    for ax, radius in zip(axes, (1, 2, 4)):
        shown = np.where(shape, 0.0, np.where(dilate(shape, radius), 0.6, 1.0))
        ax.imshow(shown, cmap="gray", vmin=-0.2, vmax=1)
        ax.set_title(f"radius = {radius}", fontsize=9)
        ax.set_axis_off()
    figure.suptitle("dark: the shape; grey: what dilation adds", fontsize=9)
    return figure


EXERCISES = (
    Exercise("7.1", "How alike two shapes are", 2, "shape_iou", _pairs, shape_iou, _draw_iou),
    Exercise("7.2", "A shape that reaches further", 4, "dilate", _shapes, dilate, _draw_dilate),
)
