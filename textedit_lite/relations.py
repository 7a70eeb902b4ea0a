"""Works out from the boxes what stands where: "left of the car", "next to the chair", "the second from the left".

In the manner of ReCLIP (Subramanian et al., 2022): a relation is a probability for every pair of boxes, and is multiplied
by how well the words fit each of the two. Everything here is plain arithmetic on the boxes of one picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .boxes import area, xyxy_to_cxcywh

SHARP = 6.0  # how fast a relation becomes sure, per mean width of the two boxes
NEAR = 0.25  # how much further than the nearest one still counts as near, in mean sides of the two boxes


def left_of(boxes: np.ndarray, sharp: float = SHARP) -> np.ndarray:
    """How likely each of N boxes is left of each: float32 [N, 4] -> [N, N], 0 to 1, 0 on the diagonal.

    With the centres x and the widths w: r_ij = 1 / (1 + exp(-sharp (x_j - x_i) / m_ij)), m_ij = (w_i + w_j) / 2, so 1/2
    where one stands above the other, and sure (0.95) when the centres are half a width apart. Taught in notebook 07.
    """
    x, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    mean = np.maximum((width[:, None] + width[None]) / 2, 1e-6)
    return _without_itself(_sigmoid(sharp * (x[None] - x[:, None]) / mean))


def larger_than(boxes: np.ndarray) -> np.ndarray:
    """How likely each of N boxes is the larger one of two: float32 [N, 4] -> [N, N], 0 on the diagonal.

    With the areas A: r_ij = 1 / (1 + exp(-SHARP ln(A_i / A_j))). Taught in notebook 07.
    """
    size = np.log(np.maximum(area(boxes), 1e-6))
    return _without_itself(_sigmoid(SHARP * (size[:, None] - size[None])))


def next_to(boxes: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """How likely each of N boxes is the one next to each: float32 [N, 4] -> [N, N], 0 on the diagonal.

    With the centres c and the areas A, the distance in mean sides of the two is d_ij = |c_i - c_j| / ((sqrt A_i +
    sqrt A_j) / 2), and r_ij = exp(-(d_ij - min_k d_kj) / NEAR): the nearest is next to it, however far away.
    among: bool [N], which k compete to be the nearest (default: all); never j itself. Taught in notebook 07.
    """
    centres, side = xyxy_to_cxcywh(boxes)[:, :2], np.sqrt(np.maximum(area(boxes), 1e-6))
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1) / ((side[:, None] + side[None]) / 2)
    competing = ~np.eye(len(boxes), dtype=bool)
    if among is not None:
        competing &= np.asarray(among, bool)[:, None]
    nearest = np.min(np.where(competing, distance, np.inf), 0, initial=np.inf)
    return _without_itself(np.exp(-np.clip(distance - nearest, 0, None) / NEAR))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))


def _without_itself(pairs: np.ndarray) -> np.ndarray:
    return np.where(np.eye(len(pairs), dtype=bool), 0, pairs).astype(np.float32)


def relation(name: str, boxes: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """One of `prompt.RELATIONS` for every pair of N boxes: r_ij, how likely i stands in it to j, [N, N].

    "right of" is "left of" the other way round, "above" is "left of" with the axes exchanged. among: see `next_to`.
    Raises KeyError for a name that is no relation. Taught in notebook 07.
    """
    turned = boxes[:, [1, 0, 3, 2]]
    return {
        "left of": lambda: left_of(boxes), "right of": lambda: left_of(boxes).T,
        "above": lambda: left_of(turned), "below": lambda: left_of(turned).T,
        "larger than": lambda: larger_than(boxes), "smaller than": lambda: larger_than(boxes).T,
        "next to": lambda: next_to(boxes, among),
    }[name]()  # fmt: skip


def related(pairs: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """How likely each of N objects stands in a relation to its anchor, whichever other object that is: [N].

    pairs: r [N, N], as `relation` gives it; anchors: a [N], how well the anchor's words fit each object, 0 or more.

        q_i = sum_{j != i} r_ij a_j / sum_{j != i} a_j,   0 where the lower sum is 0

    An object's own score times one factor q_i for each of its relations, with the anchors' scores made in the same way,
    is ReCLIP's product over the tree of the words. Taught in notebook 07.
    """
    others = np.where(np.eye(len(pairs), dtype=bool), 0.0, np.asarray(anchors, float)[None])
    total = others.sum(1)
    return np.divide((pairs * others).sum(1), total, out=np.zeros(len(pairs)), where=total > 0)


def ordinal(boxes: np.ndarray, selector: str, rank: int = 1) -> int | None:
    """The index of the `rank`-th box in a selector's order: "the second from the left", "the third largest".

    boxes: float32 [N, 4]; selector: "left", "right", "top", "bottom" (by the centres), "largest" or "smallest" (by the
    areas); rank: from 1. Of boxes that tie, the first comes first; None where there are fewer. Taught in notebook 07.
    """
    order = sorted(range(len(boxes)), key=lambda i: place(boxes[i], selector))
    return order[rank - 1] if 1 <= rank <= len(order) else None


def middle(boxes: np.ndarray) -> int | None:
    """The index of the box in the middle: as many others are left of it as right of it, or above and below, if they stand so.

    boxes: float32 [N, 4], in a row or in a column, whichever way their centres lie further apart. None where N is even, as
    two of them then share the middle, and for no box.
    """
    if len(boxes) % 2 == 0:
        return None
    across, down = np.ptp(xyxy_to_cxcywh(boxes)[:, :2], axis=0)
    return sorted(range(len(boxes)), key=lambda i: place(boxes[i], "left" if across >= down else "top"))[len(boxes) // 2]


def place(box: Sequence[float], selector: str) -> float:
    """A number that is smallest for the box that a selector means. Taught in notebook 07."""
    x0, y0, x1, y1 = box
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1),
                "largest": -(x1 - x0) * (y1 - y0), "smallest": (x1 - x0) * (y1 - y0)}  # fmt: skip
    return measures[selector]
