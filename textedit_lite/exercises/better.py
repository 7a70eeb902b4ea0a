"""The exercises of notebook 07: how alike two shapes are, a shape that reaches a little further, and what stands where."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..prompt import ORDERS
from ..relations import left_of, ordinal, related
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


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 200, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 90, (count, 2))], 1).astype(np.float32)


def _rows_of_boxes(rng: np.random.Generator):
    """Boxes and how sharp: one above the other, half a width apart, wide beside narrow, far apart, none, and random ones."""
    yield np.array([[0, 0, 20, 20], [0, 50, 20, 70]], np.float32), 6.0
    yield np.array([[0, 0, 20, 20], [10, 0, 30, 20]], np.float32), 6.0
    yield np.array([[0, 0, 100, 10], [20, 0, 30, 90], [60, 0, 64, 10]], np.float32), 6.0
    yield np.array([[0, 0, 4, 4], [9000, 0, 9004, 4]], np.float32), 6.0
    yield np.zeros((0, 4), np.float32), 6.0
    for count, sharp in ((1, 6.0), (3, 2.0), (6, 6.0), (9, 12.0)):
        yield _boxes(rng, count), sharp


def _related_pairs(rng: np.random.Generator):
    """Relations of all pairs, and how well the anchor's words fit each: one anchor, two, weak ones, none, and random ones."""
    pairs = left_of(np.array([[0, 0, 10, 10], [8, 20, 28, 60], [40, 70, 50, 80]], np.float32))
    for anchors in ([0, 0, 1], [0, 0, 0.2], [0.5, 0, 0.5], [0, 0, 0], [0.9, 0.6, 0.3]):
        yield pairs, np.array(anchors, np.float32)
    yield np.zeros((1, 1), np.float32), np.ones(1, np.float32)
    for count in (2, 4, 7):
        anchors = rng.uniform(0, 1, count) * (rng.uniform(size=count) < 0.8)
        yield left_of(_boxes(rng, count)), anchors.astype(np.float32)


def _counted(rng: np.random.Generator):
    """Boxes, a selector and a rank: by hand, edges against centres, ties, too few, none, and random ones."""
    by_hand = np.array([[10, 20, 90, 60], [30, 0, 50, 90], [5, 30, 85, 42], [60, 55, 70, 65]], np.float32)
    for selector in ORDERS:
        for rank in (1, 2, 4):
            yield by_hand, selector, rank
    yield by_hand, "left", 5
    yield np.zeros((0, 4), np.float32), "largest", 1
    yield np.array([[0, 0, 100, 100], [20, 20, 30, 30]], np.float32), "left", 2
    yield np.repeat(by_hand[:1], 3, 0), "top", 2
    for count in (2, 5, 9):
        found = _boxes(rng, count)
        for selector in ORDERS:
            yield found, selector, int(rng.integers(1, count + 2))


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


def _draw_left_of():
    figure, (ax,) = plots.panels(width=5, height=2.6)
    gaps = np.linspace(-1.5, 1.5, 121)
    for sharp, style in ((6.0, "-"), (2.0, ":")):
        shares = [left_of(np.array([[0, 0, 1, 1], [gap, 0, gap + 1, 1]], np.float32), sharp)[0, 1] for gap in gaps]
        ax.plot(gaps, shares, style, color=plots.CHOSEN, label=f"sharp = {sharp:.0f}")
    ax.axvline(0, color="0.6", linewidth=1)
    ax.set(xlabel="how much further right the other's centre is, in mean widths", ylabel="is left of it", ylim=(0, 1.05))
    ax.legend(fontsize=8)
    ax.set_title("a soft step instead of yes and no", fontsize=9)
    return figure


def _draw_related():
    figure, (ax, bx) = plots.panels(1, 2, width=3.1, height=2.2)
    pairs = left_of(np.array([[0, 0, 10, 10], [8, 20, 28, 60], [40, 70, 50, 80]], np.float32))
    names = ["0", "1", "2"]
    plots.similarity_matrix(pairs, [f"{name} is left of" for name in names], names, ax)
    anchors = np.array([0.1, 0.0, 0.8])
    shares = related(pairs, anchors)
    plots.similarity_matrix(np.stack([anchors, shares], 1), names, ["is the car", "is left of the car"], bx)
    figure.suptitle("each row of the relation, weighed by who is the anchor", fontsize=9)
    return figure


def _draw_ordinal():
    from PIL import Image

    boxes = np.array([[10, 30, 60, 75], [100, 65, 130, 95], [70, 8, 90, 24], [110, 20, 152, 50]], np.float32)
    ax = plots.draw_boxes(Image.new("RGB", (160, 105), "white"), boxes)
    order = [ordinal(boxes, "left", rank) for rank in range(1, 5)]
    centres = (boxes[order, :2] + boxes[order, 2:]) / 2
    ax.plot(*centres.T, "o-", color=plots.CHOSEN, markersize=5)
    for rank, (x, y) in enumerate(centres, 1):
        ax.text(x + 2, y - 3, f"{rank}.", color=plots.CHOSEN, fontsize=11)
    ax.set_title(f"from the left: {', '.join(map(str, order))}", fontsize=9)
    return ax.figure


EXERCISES = (
    Exercise("7.1", "How alike two shapes are", 2, "shape_iou", _pairs, shape_iou, _draw_iou),
    Exercise("7.2", "A shape that reaches further", 4, "dilate", _shapes, dilate, _draw_dilate),
    Exercise("7.3", "Left of, softly", 4, "left_of", _rows_of_boxes, left_of, _draw_left_of),
    Exercise("7.4", "Whichever is the anchor", 4, "related", _related_pairs, related, _draw_related),
    Exercise("7.5", "The second from the left", 3, "ordinal", _counted, ordinal, _draw_ordinal),
)
