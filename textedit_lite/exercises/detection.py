"""The exercises of notebook 01: boxes, scores and thresholds."""

from __future__ import annotations

import numpy as np

from .. import boxes, plots
from .exercise import Exercise


def _pairs(rng: np.random.Generator):
    """Two sets of boxes: none, one, touching, nested, without area, and random ones."""
    square = np.array([[0, 0, 10, 10]], np.float32)
    yield square, square
    yield square, np.array([[10, 0, 20, 10], [2, 2, 4, 4], [5, 5, 5, 9], [40, 40, 50, 50]], np.float32)
    yield np.zeros((0, 4), np.float32), square
    for n, m in ((1, 3), (4, 2), (6, 6)):
        yield tuple(_boxes(rng, count) for count in (n, m))


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 40, (count, 2))], 1).astype(np.float32)


def _draw_iou():
    from PIL import Image

    blank = Image.new("RGB", (120, 90), "white")
    pair = np.array([[15, 15, 75, 65], [45, 30, 105, 80]], np.float32)
    return plots.draw_boxes(blank, pair, ["a", "b"]).figure


EXERCISES = (
    Exercise("1.2", "IoU of every pair", 4, "iou", _pairs, boxes.iou, _draw_iou),
)
