"""The exercises of notebook 09: the rate, the average, the assignment of queries to objects, the contrastive loss."""

from __future__ import annotations

import numpy as np

from .. import plots
from .exercise import Exercise, difference

# --- right answers in NumPy; the trainers' own are written for tensors -------------------------------------------


def learning_rate(peak: float, step: int, spent: float, warmup: int = 100, hold: float = 0.0) -> float:
    """The trainers' own (`training.loop`), fetched when it is asked, as it needs torch."""
    from ..training.loop import learning_rate as ours

    return ours(peak, step, spent, warmup, hold)


def follow(average: np.ndarray, weights: np.ndarray, step: int, decay: float = 0.999) -> np.ndarray:
    """The running average after one more step: d average + (1 - d) weights, d = min(decay, (1 + step) / (10 + step))."""
    share = min(decay, (1 + step) / (10 + step))
    return share * average + (1 - share) * weights


def giou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Generalised IoU (Rezatofighi et al., 2019) of every pair of xyxy boxes: [N, 4] x [M, 4] -> [N, M]."""
    a, b = np.asarray(a, float)[:, None], np.asarray(b, float)[None]
    inner = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    outer = (np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inner
    return inner / union - (outer - union) / outer


def assign(chances: np.ndarray, apart: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """The query of each object in the cheapest one-to-one assignment (DETR, equation 1): three [Q, M] -> int [M]."""
    from scipy.optimize import linear_sum_assignment

    queries, objects = linear_sum_assignment(5 * apart - 2 * overlap - chances)
    return queries[np.argsort(objects)]


def contrastive_loss(cosines: np.ndarray, targets: np.ndarray, scale: float) -> float:
    """CLIP's loss (`training.clip.loss`) of one set of captions: cosines [N, K], the caption of each crop [N]."""
    logits = scale * np.asarray(cosines, float)

    def log_softmax(x, axis):
        x = x - x.max(axis, keepdims=True)
        return x - np.log(np.exp(x).sum(axis, keepdims=True))

    mine = np.eye(logits.shape[1])[targets]  # [N, K]
    by_crop = -(mine * log_softmax(logits, 1)).sum(1).mean()
    by_caption = -(mine / mine.sum(0) * log_softmax(logits, 0)).sum(0).mean()
    return float((by_crop + by_caption) / 2)


# --- inputs ------------------------------------------------------------------------------------------------------


def _rates(rng: np.random.Generator):
    """The first step, the end of the warm-up, the middle, the end and beyond; held to the end; and random ones."""
    yield from ((1e-3, 0, 0.0), (1e-3, 99, 0.0), (1e-3, 500, 0.5), (1e-3, 900, 1.0), (1e-3, 901, 1.02))
    yield from ((2e-3, 50, 0.1, 200, 0.75), (2e-3, 800, 0.7, 200, 0.75), (2e-3, 990, 0.9, 200, 0.75), (1.0, 10, 1.0, 1, 1.0))
    for _ in range(5):
        hold = float(rng.choice([0, 0.3, 0.7]))
        yield float(rng.uniform(1e-4, 1e-2)), int(rng.integers(0, 400)), float(rng.uniform(0, 1)), int(rng.integers(1, 300)), hold


def _averages(rng: np.random.Generator):
    """The first step, early and late, one number; and random ones."""
    some = ((int(step), 0.99) for step in rng.integers(1, 5000, 3))
    for step, decay in ((0, 0.999), (5, 0.9), (100, 0.9), (10**6, 0.999), (8990, 0.999), *some):
        shape = tuple(rng.integers(1, 6, int(rng.integers(1, 4))))
        yield rng.normal(size=shape), rng.normal(size=shape), step, decay


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(2, 40, (count, 2))], 1)


def _pairs(rng: np.random.Generator):
    """The same box, touching, nested, apart along one axis and along both, none; and random ones."""
    square = np.array([[0.0, 0, 10, 10]])
    yield square, square
    yield square, np.array([[10.0, 0, 20, 10], [2, 2, 4, 4], [30, 0, 40, 10], [40, 40, 50, 50]])
    yield np.zeros((0, 4)), square
    for n, m in ((1, 3), (4, 2), (6, 6)):
        yield _boxes(rng, n), _boxes(rng, m)


def _costs(rng: np.random.Generator):
    """Two objects that want the same query, one object, as many as queries, no object; and random ones."""
    yield tuple(np.array(v) for v in (
        [[0.9, 0.8], [0.1, 0.7], [0.0, 0.0]], [[0.1, 0.15], [0.9, 0.2], [1.5, 1.4]], [[0.9, 0.8], [-0.5, 0.7], [-1.0, -1.0]]
    ))  # fmt: skip
    yield np.array([[0.5, 0.4], [0.5, 0.1]]), np.array([[0.2, 0.1], [0.3, 1.1]]), np.array([[0.6, 0.7], [0.5, -0.6]])
    yield rng.uniform(0, 1, (5, 1)), rng.uniform(0, 2, (5, 1)), rng.uniform(-1, 1, (5, 1))
    yield np.zeros((4, 0)), np.zeros((4, 0)), np.zeros((4, 0))
    for queries, objects in ((4, 4), (8, 3), (16, 6), (12, 12)):
        yield rng.uniform(0, 1, (queries, objects)), rng.uniform(0, 0.4, (queries, objects)), rng.uniform(-1, 1, (queries, objects))


def _similarities(rng: np.random.Generator):
    """A caption each, one caption for all, two crops of one caption, so sure that exp overflows float32; and random ones."""
    yield np.eye(3, dtype=np.float32), np.arange(3), 2.0
    yield np.full((4, 1), 0.3, np.float32), np.zeros(4, int), 5.0
    yield np.array([[0.9, 0.1], [0.2, 0.1], [0.0, 0.8]], np.float32), np.array([0, 0, 1]), 3.0
    yield np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32), np.array([0, 1]), 100.0
    yield np.array([[-1.0, 1.0], [1.0, 0.9]], np.float32), np.array([0, 1]), 100.0
    for count, captions in ((6, 4), (10, 3), (8, 8)):
        targets = np.concatenate([np.arange(captions), rng.integers(0, captions, count - captions)])
        yield rng.uniform(-0.3, 1, (count, captions)).astype(np.float32), rng.permutation(targets), float(rng.uniform(1, 30))


def _exactly(expected, got, arguments) -> str | None:
    """A rate is a small number: what is small beside 1 may be all of it."""
    return difference(expected, got, arguments, rtol=1e-5, atol=1e-9)


# --- the tasks as figures ----------------------------------------------------------------------------------------


def _draw_rate():
    figure, (ax,) = plots.panels(width=5, height=2.4)
    steps = np.arange(1000)
    for hold in (0.0, 0.75):
        ax.plot(steps, [learning_rate(1e-3, s, s / 1000, 100, hold) for s in steps.tolist()], label=f"hold {hold:g}")
    ax.set(xlabel="step of 1000 (warm-up 100)", ylabel="learning rate")
    ax.legend(fontsize=8)
    return figure


def _draw_average():
    figure, (ax,) = plots.panels(width=5, height=2.4)
    rng = np.random.default_rng(0)
    steps = np.arange(200)
    weights = 1 - np.exp(-steps / 40) + 0.15 * rng.normal(size=200)
    average, line = weights[0], []
    for step in steps.tolist():
        average = follow(average, weights[step], step, 0.95)
        line.append(average)
    ax.plot(weights, color="0.7", linewidth=1, label="a weight")
    ax.plot(line, color=plots.CHOSEN, label="its running average")
    ax.set(xlabel="step")
    ax.legend(fontsize=8)
    return figure


def _draw_giou():
    figure, axes = plots.panels(1, 3, width=2.1, height=2.2)
    a = np.array([[10, 10, 50, 50]])
    for ax, b in zip(axes, ([30, 25, 75, 60], [50, 10, 80, 50], [70, 60, 95, 90]), strict=True):
        low, high = np.minimum(a[0, :2], b[:2]), np.maximum(a[0, 2:], b[2:])
        for (x0, y0, x1, y1), colour, line in (((*low, *high), "0.6", ":"), (a[0], plots.OTHER, "-"), (b, plots.CHOSEN, "-")):
            ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], line, color=colour, linewidth=2)
        ax.set(xlim=(0, 100), ylim=(100, 0), aspect="equal", xticks=(), yticks=())
        ax.set_title(f"GIoU {giou(a, np.array([b]))[0, 0]:.2f}", fontsize=9)
    return figure


def _draw_assignment():
    chances, apart, overlap = next(_costs(np.random.default_rng(0)))
    cost = 5 * apart - 2 * overlap - chances
    figure, axes = plots.panels(1, 2, width=2.6, height=2.4)
    ours = assign(chances, apart, overlap).tolist()
    titles = ("each object its cheapest: no", "the cheapest for all: yes")
    for ax, title, chosen in zip(axes, titles, (cost.argmin(0).tolist(), ours), strict=True):
        ax.imshow(cost, cmap="Blues_r", aspect="auto")
        for (q, m), value in np.ndenumerate(cost):
            ax.text(m, q, f"{value:.2f}", ha="center", va="center", fontsize=9, color="white" if value < 2 else "0.1")
        for m, q in enumerate(chosen):
            ax.plot(m, q, "s", markersize=34, markerfacecolor="none", markeredgecolor=plots.CHOSEN, markeredgewidth=2)
        ax.set(xticks=(0, 1), yticks=(0, 1, 2), xlabel="object", ylabel="query")
        ax.set_title(title, fontsize=9)
    return figure


def _draw_contrast():
    cosines, targets, _ = list(_similarities(np.random.default_rng(0)))[2]
    rows = ("crop: a red bus", "crop: a red bus", "crop: a cup")
    ax = plots.similarity_matrix(cosines, rows, ("a red bus", "a cup"))
    for i, j in enumerate(targets.tolist()):
        ax.plot(j + 0.36, i - 0.28, "o", color="#2b8a3e", markersize=7)
    ax.set_title("green: what belongs together", fontsize=9)
    return ax.figure


EXERCISES = (
    Exercise("9.1", "An average that follows", 2, "follow", _averages, follow, _draw_average),
    Exercise("9.2", "The learning rate", 3, "learning_rate", _rates, learning_rate, _draw_rate, _exactly),
    Exercise("9.3", "How far apart two boxes are", 3, "giou", _pairs, giou, _draw_giou),
    Exercise("9.4", "Which query answers for which object", 4, "assign", _costs, assign, _draw_assignment),
    Exercise("9.5", "CLIP's contrastive loss", 4, "contrastive_loss", _similarities, contrastive_loss, _draw_contrast),
)
