"""The exercises of notebook 08: DiffEdit's mask and what it keeps, InstructPix2Pix's two guidances, and who is not beaten."""

from __future__ import annotations

import numpy as np

from .. import plots
from ..evaluation.figures import trade_off, unbeaten
from ..rivals.diffedit import contrast_mask, keep_background
from .exercise import Exercise

# --- right answers that the package leaves to its libraries ------------------------------------------------------


def two_guidances(nothing, pictured, told, image_guidance: float, guidance: float):
    """e(0, 0) + s_I (e(c, 0) - e(0, 0)) + s_T (e(c, w) - e(c, 0)): equation 3 of Brooks et al. (2023), of any arrays."""
    return nothing + image_guidance * (pictured - nothing) + guidance * (told - pictured)


# --- inputs ------------------------------------------------------------------------------------------------------


def _contrasts(rng: np.random.Generator):
    """Contrasts and a factor: one spot, a faint picture beside a strong one, the same everywhere, a factor below 1; random ones."""
    spot = np.full((1, 4, 5), 0.1, np.float32)
    spot[0, 1:3, 2:4] = 1.0
    yield spot, 1.5
    yield np.concatenate([spot, spot / 50]), 1.5
    yield np.ones((1, 3, 3), np.float32), 1.0
    yield spot, 0.2
    yield np.zeros((1, 2, 2), np.float32), 1.5
    for count in (1, 2, 5):
        height, width = (int(v) for v in rng.integers(3, 14, 2))
        scale = rng.uniform(0.05, 4, (count, 1, 1))
        yield (scale * rng.exponential(1, (count, height, width))).astype(np.float32), float(rng.uniform(0.8, 2.5))


def _levels(rng: np.random.Generator):
    """Denoised latents, those of the picture at the same level, and a mask: all, nothing, and random ones of several sizes."""
    for count, height, width, share in ((1, 3, 4, 1.0), (1, 3, 4, 0.0), (1, 4, 4, 0.5), (3, 5, 2, 0.3), (2, 8, 8, 0.6)):
        latents, level = rng.standard_normal((2, count, 4, height, width)).astype(np.float32)
        yield latents, level, rng.uniform(size=(count, height, width)) < share


def _predictions(rng: np.random.Generator):
    """Three predictions and two scales: by hand, no guidance, either alone, and random ones of several shapes."""
    nothing, pictured, told = (np.full((1, 1, 1, 2), value, np.float32) for value in (1, 2, 4))
    for scales in ((1.5, 7.5), (1.0, 1.0), (2.0, 1.0), (1.0, 3.0)):
        yield nothing, pictured, told, *scales
    for shape in ((1, 4, 4, 4), (3, 4, 2, 5), (2, 1, 6, 3)):
        yield *rng.standard_normal((3, *shape)).astype(np.float32), float(rng.uniform(1, 2)), float(rng.uniform(1, 9))


def _editors(rng: np.random.Generator):
    """Success and harm of editors: by hand, alike, alike in one, one alone, none, and random ones."""
    yield np.array([0.0, 0.9, 0.5, 0.95]), np.array([0.0, 0.1, 0.3, 0.2])
    yield np.array([0.5, 0.5]), np.array([0.1, 0.1])
    yield np.array([0.5, 0.5, 0.7]), np.array([0.1, 0.2, 0.2])
    yield np.array([0.3]), np.array([0.9])
    yield np.zeros(0), np.zeros(0)
    for count in (4, 9, 20):
        yield rng.integers(0, 8, count) / 8, rng.integers(0, 8, count) / 8


# --- pictures ----------------------------------------------------------------------------------------------------


def _draw_contrast():
    y, x = np.mgrid[:16, :24]
    contrast = 0.15 + np.exp(-((x - 15) ** 2 + (y - 8) ** 2) / 14) + 0.1 * np.sin(x) ** 2
    figure, axes = plots.panels(1, 4, width=1.9, height=1.7)
    shown = [contrast, *(contrast_mask(contrast[None], factor)[0] for factor in (1.0, 1.5, 3.0))]
    for ax, title, one in zip(axes, ("contrast", "threshold = 1", "1.5", "3"), shown):
        ax.imshow(one, cmap="magma" if title == "contrast" else "gray")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    return figure


def _draw_kept():
    figure, axes = plots.panels(1, 4, width=1.8, height=1.7)
    y, x = np.mgrid[:12, :16]
    latents, level = np.sin(x / 2)[None, None], np.cos(y / 2)[None, None]
    mask = ((x - 8) ** 2 + (y - 6) ** 2 < 14)[None]
    shown = (latents, level, mask, keep_background(latents, level, mask))
    for ax, title, one in zip(axes, ("latents", "level", "mask", "what goes on"), shown):
        ax.imshow(np.squeeze(one), cmap="gray" if title == "mask" else "viridis")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    return figure


def _draw_guidances():
    figure, (ax,) = plots.panels(width=4.6, height=3)
    nothing, pictured, told = np.array([0.0, 0.0]), np.array([2.0, 0.6]), np.array([2.4, 1.6])
    end = two_guidances(nothing, pictured, told, 1.5, 2.0)
    turn = nothing + 1.5 * (pictured - nothing)
    for start, stop, colour in ((nothing, turn, plots.OTHER), (turn, end, plots.CHOSEN)):
        ax.annotate("", stop, start, arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 2})
    for point, name in ((nothing, "e(0, 0)"), (pictured, "e(c, 0)"), (told, "e(c, w)"), (end, "the step that is taken")):
        ax.plot(*point, "o", color="0.3")
        ax.annotate(name, point, textcoords="offset points", xytext=(6, -11), fontsize=9)
    ax.set(xlim=(-0.4, 6.6), ylim=(-0.5, 3.3), xticks=[], yticks=[])
    ax.set_title("blue: towards the picture; orange: towards the words", fontsize=9)
    return figure


def _draw_front():
    points = {"copy": (0.0, 0.0), "a": (0.9, 0.004), "b": (0.5, 0.02), "c": (0.95, 0.03), "d": (0.9, 0.05)}
    ax = trade_off(points)
    ax.set_title("filled: no other editor is as good in both, and better in one", fontsize=9)
    return ax.figure


EXERCISES = (
    Exercise("8.1", "Where two captions disagree", 3, "contrast_mask", _contrasts, contrast_mask, _draw_contrast),
    Exercise("8.2", "The picture stays outside", 2, "keep_background", _levels, keep_background, _draw_kept),
    Exercise("8.3", "Two guidances at once", 3, "two_guidances", _predictions, two_guidances, _draw_guidances),
    Exercise("8.4", "Who is not beaten", 4, "unbeaten", _editors, unbeaten, _draw_front),
)
