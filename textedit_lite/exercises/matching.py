"""The exercises of notebook 02: similarities, probabilities, two opinions in one score, and which object is meant."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..match import AMBIGUOUS, cosine, fuse, pick, softmax, verdict
from ..prompt import ORDERS
from .exercise import Exercise

# --- inputs ------------------------------------------------------------------------------------------------------


def _vectors(rng: np.random.Generator):
    """Two sets of vectors: by hand, long ones, zeros among them, none, and random ones of many lengths."""
    yield np.array([[3, 4], [1, 0]], np.float32), np.array([[6, 8], [0, 2], [-1, 0]], np.float32)
    yield np.array([[0, 0, 0], [1, 2, 2]], np.float32), np.array([[2, 1, 2], [0, 0, 0]], np.float32)
    yield np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32)
    for n, m, size in ((1, 5, 3), (4, 2, 64), (7, 7, 7)):
        sets = (rng.normal(size=(count, size)) * rng.uniform(0.1, 20, (count, 1)) for count in (n, m))
        yield tuple(part.astype(np.float32) for part in sets)


def _similarities(rng: np.random.Generator):
    """Similarities and a scale: by hand, alike, one column, so large that exp overflows, and random ones."""
    yield np.array([[0.3, 0.1], [0.2, 0.2]], np.float32), 10.0
    yield np.array([[0.7]], np.float32), 100.0
    yield np.array([[90, 89, 0], [-90, -91, -90]], np.float32), 14.0
    for n, m, scale in ((1, 4, 1.0), (5, 3, 30.0), (3, 12, 100.0)):
        yield rng.uniform(-1, 1, (n, m)).astype(np.float32), scale


def _opinions(rng: np.random.Generator):
    """CLIP's and DETR's probability, and the weight: the veto, either model alone, and random ones."""
    yield 0.02, 0.99, 0.6
    yield 0.0, 0.9, 0.6
    for weight in (0.0, 1.0, 0.5):
        yield 0.9, 0.4, weight
    for _ in range(6):
        yield tuple(round(float(v), 3) for v in rng.uniform(0.01, 0.99, 3))


def _candidates(rng: np.random.Generator):
    """Scores, which of them fit, and the bar: no candidate, none that fits, one, near and far ones, and random ones."""
    for scores, fits in (([], []), ([0.9, 0.8], [0, 0]), ([0.1], [1]), ([0.9, 0.5], [1, 1]), ([0.5, 0.5], [1, 1]),
                         ([0.4, 0.95, 0.9], [1, 0, 1]), ([0.5, 0.6, 0.95], [1, 1, 0]), ([0.2, 0.3, 0.8], [1, 1, 1])):  # fmt: skip
        yield np.array(scores, float), np.array(fits, bool), 0.15
    yield np.array([0.8, 0.6]), np.array([True, True]), 0.3
    for count in (3, 3, 6, 6, 12):
        yield rng.uniform(0, 1, count).round(3), rng.uniform(size=count) < 0.7, round(float(rng.uniform(0.05, 0.4)), 4) + 5e-5


def _places(rng: np.random.Generator):
    """Boxes and a selector: one, wide beside narrow, long beside large, two alike, and random ones."""
    yield np.array([[5, 5, 9, 9]], np.float32), "right"
    by_hand = np.array([[10, 20, 90, 60], [30, 0, 50, 90], [5, 30, 85, 42], [60, 55, 70, 65]], np.float32)
    for selector in ORDERS:
        yield by_hand, selector
    # The edges and the centres disagree: the first begins further left and higher, and ends further right and lower.
    for selector, narrow in (("left", 20), ("right", 70), ("top", 20), ("bottom", 70)):
        yield np.array([[0, 0, 100, 100], [narrow, narrow, narrow + 10, narrow + 10]], np.float32), selector
    yield np.array([[3, 3, 8, 8], [3, 3, 8, 8]], np.float32), "largest"
    for count in (2, 5, 9):
        corner = rng.uniform(0, 200, (count, 2))
        found = np.concatenate([corner, corner + rng.uniform(5, 90, (count, 2))], 1).astype(np.float32)
        for selector in ORDERS:
            yield found, selector


# --- pictures of the tasks ---------------------------------------------------------------------------------------


def _draw_cosine():
    figure, (ax, bx) = plots.panels(1, 2, width=3.1, height=2.7)
    a, b = np.array([[3, 1], [0.5, 1.5]]), np.array([[1.5, 0.5], [-1, 2]])
    for rows, name, colour in ((a, "a", plots.OTHER), (b, "b", plots.CHOSEN)):
        for i, (x, y) in enumerate(rows):
            ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.6})
            ax.text(x, y + 0.08, f"{name}{i}", color=colour, fontsize=10)
    ax.set(xlim=(-1.5, 3.5), ylim=(-0.3, 2.5), aspect="equal")
    ax.set_title("the lengths do not matter, the angles do", fontsize=9)
    plots.similarity_matrix(cosine(a, b), ["a0", "a1"], ["b0", "b1"], bx)
    bx.set_title("1 = the same direction, 0 = a right angle", fontsize=9)
    return figure


def _draw_softmax():
    similarities = np.array([[0.32, 0.28, 0.1]], np.float32)
    figure, axes = plots.panels(1, 3, width=2.4, height=1.7)
    for ax, scale in zip(axes, (1, 10, 100)):
        row = softmax(similarities, scale)[0]
        plots.bars(dict(zip(("0.32  a blue bus", "0.28  a bus", "0.10  a cup"), row)), f"scale s = {scale}", ax)
        ax.set_yticks(range(3), ("0.32", "0.28", "0.10"))
    figure.suptitle("three similarities as probabilities: the scale says how much a difference counts", fontsize=9)
    return figure


def _draw_fuse():
    figure, (ax,) = plots.panels(width=4.6, height=2.6)
    weights = np.linspace(0, 1, 101)
    for clip, detr in ((0.95, 0.55), (0.02, 0.99)):
        ax.plot(weights, [fuse(clip, detr, w) for w in weights], label=f"CLIP says {clip}, DETR says {detr}")
        ax.plot((0, 1), (detr, clip), "o", color="0.4", markersize=4)
    ax.set(xlabel="weight of CLIP", ylabel="fused score", ylim=(0, 1.5), yticks=(0, 0.5, 1))
    ax.legend(fontsize=8, loc="upper center")
    ax.set_title("from DETR's word alone to CLIP's alone", fontsize=9)
    return figure


def _draw_verdict():
    shown = {"found": ([0.85, 0.5], [1, 1]), "ambiguous": ([0.85, 0.8], [1, 1]), "not_found": ([0.85, 0.6], [0, 0]),
             "found: one fits": ([0.85, 0.8], [0, 1])}  # fmt: skip
    figure, axes = plots.panels(1, 4, width=1.9, height=2.2)
    for ax, (title, (scores, fits)) in zip(axes, shown.items()):
        index = verdict(np.array(scores), np.array(fits, bool))[0]
        for i, (score, fit) in enumerate(zip(scores, fits)):
            colour = plots.CHOSEN if i == index else (plots.OTHER if fit else "0.85")
            ax.bar(i, score, color=colour)
            ax.text(i, score / 2, "fits" if fit else "does\nnot fit", ha="center", fontsize=8, color="white" if fit else "0.3")
        if all(fits):
            ax.axhspan(scores[0] - AMBIGUOUS, scores[0], color="0.4", alpha=0.25, linewidth=0)
        ax.set(ylim=(0, 1), xticks=(0, 1))
        ax.set_title(title, fontsize=9)
    figure.suptitle("the grey band is the bar below the best: a second one that reaches into it makes a question", fontsize=9)
    return figure


def _draw_pick():
    from PIL import Image

    boxes = np.array([[10, 30, 150, 75], [40, 85, 70, 115], [110, 8, 130, 24]], np.float32)
    ax = plots.draw_boxes(Image.new("RGB", (160, 125), "white"), boxes)
    for x0, y0, x1, y1 in boxes:
        ax.plot((x0 + x1) / 2, (y0 + y1) / 2, "+", color=plots.CHOSEN, markersize=10)
    asked = ", ".join(f"{selector}: {pick(boxes, selector)}" for selector in ("left", "right", "top", "largest"))
    ax.set_title(f"places are those of the centres\n{asked}", fontsize=9)
    return ax.figure


EXERCISES = (
    Exercise("2.1", "The similarity matrix", 3, "cosine", _vectors, cosine, _draw_cosine),
    Exercise("2.2", "From similarities to probabilities", 3, "softmax", _similarities, softmax, _draw_softmax),
    Exercise("2.3", "Two opinions, one score", 2, "fuse", _opinions, fuse, _draw_fuse),
    Exercise("2.4", "Found, ambiguous, or not there", 5, "verdict", _candidates, verdict, _draw_verdict),
    Exercise("2.5", "The left one, the largest one", 4, "pick", _places, pick, _draw_pick),
)
