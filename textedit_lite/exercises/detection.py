"""The exercises of notebook 01: boxes, probabilities, the threshold, and which queries are objects."""

from __future__ import annotations

import numpy as np

from .. import boxes, plots
from ..detect import HIGHEST, LOWEST, class_probabilities, dynamic_threshold, keep_best
from .exercise import Exercise, difference

# --- inputs ------------------------------------------------------------------------------------------------------


def _boxes(rng: np.random.Generator, count: int, most: float = 60) -> np.ndarray:
    corner = rng.uniform(0, most, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, most, (count, 2))], 1).astype(np.float32)


def _centred(rng: np.random.Generator):
    """Boxes by centre and size: one, none, of odd sizes, relative ones, and many."""
    yield (np.array([[50, 30, 20, 10]], np.float32),)
    yield (np.zeros((0, 4), np.float32),)
    yield (np.array([[0.5, 0.5, 1, 1], [7, 9, 3, 5]], np.float32),)
    for count in (3, 100):
        yield (rng.uniform(0, 1, (count, 4)).astype(np.float32),)


def _pairs(rng: np.random.Generator):
    """Two sets of boxes: none, one, touching, nested, without area, and random ones."""
    square = np.array([[0, 0, 10, 10]], np.float32)
    yield square, square
    yield square, np.array([[10, 0, 20, 10], [2, 2, 4, 4], [5, 5, 5, 9], [40, 40, 50, 50]], np.float32)
    yield np.array([[5, 5, 5, 5]], np.float32), np.array([[5, 5, 5, 5]], np.float32)
    yield np.zeros((0, 4), np.float32), square
    for n, m in ((1, 3), (4, 2), (6, 6)):
        yield _boxes(rng, n), _boxes(rng, m)


def _sizes(rng: np.random.Generator):
    """Boxes, the size that they are for and the size that they shall be for; hardly ever square."""
    yield np.array([[10, 20, 30, 40]], np.float32), (100, 200), (200, 100)
    yield np.array([[0.25, 0.5, 0.5, 1.0]], np.float32), (1, 1), (256, 192)
    yield np.zeros((0, 4), np.float32), (800, 600), (192, 192)
    for count in (1, 5, 40):
        old, new = (tuple(int(v) for v in rng.integers(100, 900, 2)) for _ in range(2))
        yield _boxes(rng, count, 90), old, new


def _scores(rng: np.random.Generator):
    """Scores of an image's queries and a range: none inside, one inside, unsorted, many, and other ranges."""
    for scores in ([], [0.01, 0.99], [0.62, 0.05, 0.98, 0.35, 0.42], [0.66], [0.34]):
        yield np.array(scores, np.float32), 0.3, 0.7
    yield np.array([0.5, 0.15, 0.75], np.float32), 0.1, 0.9
    for count, (low, high) in ((5, (0.1, 0.9)), (30, (0.3, 0.7)), (100, (0.2, 0.6)), (100, (0.3, 0.7))):
        yield rng.permutation(rng.uniform(0, 1, count) ** 2).astype(np.float32), low, high


def _logits(rng: np.random.Generator):
    """Logits [queries, classes + 1]: by hand, no query, so large that exp overflows, and random ones."""
    yield (np.array([[2, 0, 0, 1], [0, 0, 1, 5]], np.float32),)
    yield (np.zeros((0, 5), np.float32),)
    yield (np.array([[1000, 999, 0], [-1000, -1001, -1000]], np.float32),)
    for queries, classes in ((1, 1), (3, 12), (100, 91)):
        yield (rng.normal(0, 3, (queries, classes + 1)).astype(np.float32),)


def _queries(rng: np.random.Generator):
    """Boxes, probabilities and a threshold: none, on the bar, thin, near ones of one label and of two, and a chain."""
    place = np.array([[10, 10, 60, 60]], np.float32)
    yield np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32), 0.5
    yield np.concatenate([place, place + 70]), np.array([[0.5, 0.2], [0.25, 0.375]], np.float32), 0.5
    yield np.array([[5, 5, 5.5, 40], [5, 5, 30, 40]], np.float32), np.array([[0.9, 0], [0.8, 0]], np.float32), 0.5
    yield np.concatenate([place, place + 2, place + 4]), np.array([[0.1, 0.7], [0.2, 0.75], [0.8, 0.1]], np.float32), 0.5
    # The second is dropped for the first; the third overlaps the second alone, and so it stays.
    chain = np.concatenate([place, place + [0, 8, 0, 8], place + [0, 16, 0, 16]]).astype(np.float32)
    yield chain, np.array([[0.9], [0.8], [0.7]], np.float32), 0.3
    for things, again in ((3, 2), (6, 3), (10, 10)):
        first = _boxes(rng, things) + np.float32([0, 0, 20, 20])
        found = np.concatenate([first, *(first + rng.uniform(-1, 1, first.shape) for _ in range(again - 1))]).astype(np.float32)
        yield found, rng.dirichlet(np.full(4, 0.3), len(found))[:, :3].astype(np.float32), float(rng.uniform(0.2, 0.6))


def _same_queries(expected, got, arguments) -> str | None:
    if np.ndim(got) != 1 or np.asarray(got).dtype.kind not in "biuf" and len(got):
        return difference(expected, got)
    got = [int(i) for i in got]
    if sorted(got) == sorted(expected) and got != expected:
        return f"these are the right queries, {expected}, but not best first: {got}."
    return None if got == expected else f"it should keep the queries {expected}, and keeps {got}."


# --- pictures of the tasks ---------------------------------------------------------------------------------------


def _draw_corners():
    from matplotlib.patches import Rectangle

    figure, (ax,) = plots.panels(width=4.2, height=3)
    ax.add_patch(Rectangle((20, 20), 60, 40, fill=False, edgecolor=plots.OTHER, linewidth=2))
    for start, end, name, place in (((20, 40), (80, 40), "w", (64, 38)), ((50, 20), (50, 60), "h", (52, 28))):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "<->", "color": "0.4"})
        ax.text(*place, name, fontsize=11, color="0.3")
    for x, y, name, at in ((50, 40, "(cx, cy)", (33, 47)), (20, 20, "(x0, y0) = ?", (8, 16)), (80, 60, "(x1, y1) = ?", (74, 68))):
        ax.plot(x, y, "o", color=plots.CHOSEN)
        ax.text(*at, name, color=plots.CHOSEN, fontsize=10)
    ax.set(xlim=(0, 112), ylim=(75, 0), xlabel="x, to the right", ylabel="y, downwards", aspect="equal")
    ax.set_title("from centre and size to two corners", fontsize=9)
    return figure


def _draw_iou():
    from matplotlib.patches import Rectangle

    a, b = np.array([15, 15, 75, 65], np.float32), np.array([45, 30, 105, 80], np.float32)
    shared = (*np.maximum(a[:2], b[:2]), *np.minimum(a[2:], b[2:]))
    figure, axes = plots.panels(1, 2, width=3, height=2.5)
    for ax, title, filled in ((axes[0], "A and B", [shared]), (axes[1], "A or B", [a, b])):
        for x0, y0, x1, y1 in filled:
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="#ffc9a9", linewidth=0))
        for (x0, y0, x1, y1), name in ((a, "A"), (b, "B")):
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=plots.OTHER, linewidth=2))
            ax.text(x0 + 3, y0 + 11, name, fontsize=11, color=plots.OTHER)
        ax.set(xlim=(5, 115), ylim=(88, 7), aspect="equal")
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    figure.suptitle("IoU: the left area divided by the right one", fontsize=9)
    return figure


def _scene():
    from ..world import scenes

    scene = scenes.make_scene(81)
    return scenes.render(scene), scenes.boxes(scene)


def _draw_sizes():
    image, truth = _scene()
    figure, axes = plots.panels(1, 2, width=3.4, height=3)
    for ax, size in zip(axes, (image.size, (384, 192))):
        plots.draw_boxes(image.resize(size), boxes.scale_boxes(truth[:1], image.size, size), ax=ax)
        ax.set_title(f"{size[0]} x {size[1]}: x0 = {truth[0][0] * size[0] / image.width:.0f}, y0 = "
                     f"{truth[0][1] * size[1] / image.height:.0f}", fontsize=9)  # fmt: skip
        ax.set(xlim=(0, 384), ylim=(256, 0))
    figure.suptitle("the same picture at two sizes: where does its box go?", fontsize=9)
    return figure


def _draw_gap():
    scores = np.array([0.05, 0.1, 0.35, 0.42, 0.62, 0.98])
    ax = plots.threshold_gap(scores, dynamic_threshold(scores), LOWEST, HIGHEST)
    between = [0.3, 0.35, 0.42, 0.62, 0.7]
    for below, above in zip(between, between[1:]):
        widest = above - below > 0.19
        ax.annotate("", (4.5, above), (4.5, below), arrowprops={"arrowstyle": "<->", "color": plots.CHOSEN if widest else "0.5"})
        place = above - 0.04 if widest else (below + above) / 2  # off the threshold's line
        ax.text(4.58, place, f"{above - below:.2f}", fontsize=8, va="center", color=plots.CHOSEN if widest else "0.3")
    ax.set_title("the gaps between the scores inside of the range, and its ends: the widest one wins", fontsize=9)
    return ax.figure


def _draw_probabilities():
    logits = np.array([[4, 1, 0, 1], [0, 1, 0, 4]], np.float32)
    names = ["car", "bus", "cup", "no object"]
    figure, axes = plots.panels(1, 2, width=3.2, height=1.9)
    for i, (ax, row) in enumerate(zip(axes, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))):
        plots.bars(dict(zip(names, row)), f"query {i}, logits {logits[i].astype(int).tolist()}", ax)
        ax.axhspan(2.5, 3.5, color="0.5", alpha=0.25, linewidth=0)
    figure.suptitle("a share for every class, and the last one is left out", fontsize=9)
    return figure


def _draw_queries():
    image, truth = _scene()
    first, other = truth[:2]
    found = np.array([first, first + [3, -4, 5, 3], other, first + [-20, 30, 10, 40]], np.float32)
    scores, labels = [0.97, 0.81, 0.93, 0.21], ["bus", "bus", "bus", "car"]
    ax = plots.draw_boxes(image, found, labels, scores, [0, 2], plots.panels(width=3.4, height=3.6)[1][0])
    ax.set_title("threshold 0.5: [0, 2] are kept (orange),\n1 doubles 0, and 3 is too unsure", fontsize=9)
    return ax.figure


EXERCISES = (
    Exercise("1.1", "From centre and size to corners", 2, "cxcywh_to_xyxy", _centred, boxes.cxcywh_to_xyxy, _draw_corners),
    Exercise("1.2", "IoU of every pair", 4, "iou", _pairs, boxes.iou, _draw_iou),
    Exercise("1.3", "The same boxes at another size", 2, "scale_boxes", _sizes, boxes.scale_boxes, _draw_sizes),
    Exercise("1.4", "The threshold in the widest gap", 4, "dynamic_threshold", _scores, dynamic_threshold, _draw_gap),
    Exercise("1.5", "From logits to probabilities", 3, "class_probabilities", _logits, class_probabilities,
             _draw_probabilities),
    Exercise("1.6", "Which queries are objects", 5, "keep_best", _queries, keep_best, _draw_queries, _same_queries),
)  # fmt: skip
