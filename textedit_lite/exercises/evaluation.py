"""The exercises of notebook 06: pixels, structure, sets of pictures, and how sure a figure is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import plots
from ..evaluation.distances import cmmd, frechet_distance
from ..evaluation.metrics import bootstrap_interval, psnr
from .exercise import Exercise, difference

# --- right answers of our own ------------------------------------------------------------------------------------


def success_rates(rows: Sequence[tuple]) -> tuple[float, float, float]:
    """Shares out of rows (returned, success, kept): returned and success of all rows, kept of those where it is known."""
    if not rows:
        return np.nan, np.nan, np.nan
    known = [kept for _, _, kept in rows if kept is not None]
    shares = [float(np.mean([bool(row[i]) for row in rows])) for i in range(2)]
    return shares[0], shares[1], float(np.mean(known)) if known else np.nan


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM around every pixel, [H, W, 3] -> [H, W], with SciPy alone: the settings are those of `metrics.ssim_map`."""
    from scipy.ndimage import gaussian_filter

    def mean(x):
        return gaussian_filter(np.asarray(x, float), (1.5, 1.5, 0), mode="mirror", radius=(5, 5, 0))

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(np.square(a)) - ma**2, mean(np.square(b)) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean(-1)


def _run_bootstrap(answer: Callable, values, statistic: str, level: float, resamples: int, seed: int) -> Any:
    return answer(list(values), getattr(np, statistic), level, resamples, seed)


def _bootstrap(*arguments) -> tuple[float, float]:
    return _run_bootstrap(bootstrap_interval, *arguments)


def _roughly(rtol: float, atol: float) -> Callable:
    return lambda expected, got, arguments: difference(expected, got, arguments, rtol, atol)


# --- inputs ------------------------------------------------------------------------------------------------------


def _errors(rng: np.random.Generator):
    """An exact copy, an error of rounding, the largest there is, beyond the cap; and random ones."""
    yield from ((0.0,), (0.01,), (1.0,), (1e-12,), (1e-10,), (0.25,))
    for _ in range(5):
        yield (float(10 ** rng.uniform(-8, 0)),)


def _rows(rng: np.random.Generator):
    """No edit, all well, none came back, one of each; and random ones."""
    well, refused, wrong = (True, True, True), (False, False, None), (True, False, False)
    yield from (((),), ((well,),), ((refused, refused),), ((well, refused, wrong, (True, True, None), (True, False, True)),))
    yield ((refused, (True, True, True), refused, (False, False, None)),)
    for count in (5, 12, 30):
        rows = []
        for _ in range(count):
            back = bool(rng.random() < 0.7)
            success, kept = bool(back and rng.random() < 0.6), bool(rng.random() < 0.5) if back and rng.random() < 0.8 else None
            rows.append((back, success, kept))
        yield (tuple(rows),)


def _pairs(rng: np.random.Generator):
    """Equal, flat, opposite, shifted pictures, and noise of several strengths."""
    smooth = np.clip(np.cumsum(rng.normal(0, 0.04, (17, 23, 3)), 0) + 0.5, 0, 1)
    flat = np.full((14, 12, 3), 0.3)
    yield from ((smooth, smooth), (flat, flat + 0.4), (smooth, 1 - smooth), (smooth, np.roll(smooth, 1, 1)))
    colours = smooth.copy()
    colours[..., 2] = 1 - colours[..., 2]
    yield smooth, colours
    for noise in (0.02, 0.1, 0.4):
        shape = (*rng.integers(12, 40, 2), 3)
        picture = np.clip(np.cumsum(rng.normal(0, 0.05, shape), 1) + 0.5, 0, 1)
        yield picture, np.clip(picture + rng.normal(0, noise, shape), 0, 1)


def _features(rng: np.random.Generator):
    """One and the same set, a shift, another spread, one feature, fewer rows than features; and random sets."""
    some = rng.normal(size=(30, 5))
    yield from ((some, some), (some, some + 2), (some, 3 * some), (some[:12, :1], some[9:, :1]))
    yield rng.normal(size=(6, 10)), rng.normal(size=(7, 10)) + 0.5
    for _ in range(3):
        d = int(rng.integers(2, 9))
        mix = rng.normal(size=(d, d))
        yield rng.normal(size=(int(rng.integers(15, 60)), d)) @ mix + 1, rng.normal(size=(int(rng.integers(15, 60)), d)) + 1


def _samples(rng: np.random.Generator):
    """One value, equal ones, ones that are missing, none at all, shares; and random ones."""
    yield (0.5,), "mean", 0.95, 200, 0
    yield (1.0, 1.0, 1.0), "mean", 0.95, 100, 0
    yield (1.0, None, 0.0, float("nan"), 1.0, 1.0), "mean", 0.95, 500, 3
    yield (), "mean", 0.95, 100, 0
    yield (None, None), "mean", 0.9, 100, 0
    yield (0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0), "mean", 0.8, 400, 1
    for name in ("median", "mean", "std"):
        values = tuple(round(float(v), 3) for v in rng.normal(2, 1, int(rng.integers(5, 40))))
        yield values, name, float(rng.choice([0.5, 0.9, 0.95])), 300, int(rng.integers(1000))


# --- the tasks as figures ----------------------------------------------------------------------------------------


def _draw_psnr():
    figure, (ax,) = plots.panels(width=5, height=2.5)
    mse = np.logspace(-12, 0, 100)
    ax.plot(mse, [psnr(v) for v in mse], color=plots.OTHER)
    ax.plot(0.01, 20, "o", color=plots.CHOSEN)
    ax.annotate("MSE 0.01: 20 dB", (0.01, 20), (-95, 4), textcoords="offset points", fontsize=9)
    ax.annotate("an exact copy has 100 dB", (1e-10, 100), (12, -4), textcoords="offset points", fontsize=9)
    ax.set(xscale="log", xlabel="MSE", ylabel="PSNR, dB")
    return figure


def _draw_rates():
    rows = ((True, True, True), (True, False, True), (False, False, None), (True, True, None), (True, False, False), (False, False, None))
    figure, (ax,) = plots.panels(width=5.6, height=2.6)
    colours = {True: "#2b8a3e", False: "#c92a2a", None: "0.85"}
    for x, row in enumerate(rows):
        for y, value in enumerate(row):
            ax.plot(x, -y, "s", color=colours[value], markersize=20)
            ink = "0.3" if value is None else "white"
            ax.text(x, -y, {True: "yes", False: "no", None: "?"}[value], ha="center", va="center", color=ink)
    for y, (name, share) in enumerate(zip(("returned", "success", "kept"), ("4 of 6", "2 of 6", "2 of 3"), strict=True)):
        ax.text(-0.6, -y, name, ha="right", va="center", fontsize=10)
        ax.text(6.0, -y, share, ha="left", va="center", fontsize=10, color=plots.CHOSEN)
    ax.set(xlim=(-2.2, 7.3), ylim=(-2.6, 0.6), title="six edits")
    ax.set_axis_off()
    return figure


def _draw_ssim():
    from PIL import ImageFilter

    from ..world import scenes

    image = scenes.render(scenes.make_scene(81)).crop((0, 90, 110, 200))
    blurred = image.filter(ImageFilter.GaussianBlur(1.5))
    similar = ssim_map(*(np.asarray(v, float) / 255 for v in (image, blurred)))
    titles = ("a", "b: blurred", f"their SSIM: {similar.mean():.2f} in the mean")
    return plots.image_grid([image, blurred, (255 * similar.clip(0, 1)).astype(np.uint8)], titles, 3, 2.2)


def _draw_frechet():
    figure, (ax,) = plots.panels(width=4.6, height=3)
    rng = np.random.default_rng(1)
    for shift, spread, colour, name in ((0, (1, 0.5), plots.OTHER, "a"), (2.6, (0.5, 1.0), plots.CHOSEN, "b")):
        rows = rng.normal(size=(80, 2)) * spread + shift * np.array([1, 0.4])
        ax.plot(*rows.T, ".", color=colour, alpha=0.45)
        ax.plot(*rows.mean(0), "o", color=colour, markersize=9, label=f"mean and spread of {name}")
        turn = np.linspace(0, 2 * np.pi, 60)
        values, vectors = np.linalg.eigh(np.cov(rows.T))
        ax.plot(*(rows.mean(0)[:, None] + vectors @ (2 * np.sqrt(values)[:, None] * [np.cos(turn), np.sin(turn)])), color=colour)
    ax.set(aspect="equal", xlabel="feature 1", ylabel="feature 2")
    ax.legend(fontsize=8, loc="upper left")
    return figure


def _draw_kernel():
    figure, axes = plots.panels(1, 2, width=3.1, height=2.6)
    rng = np.random.default_rng(0)
    near = rng.normal(size=(60, 2)) * 0.35 + [1, 0.3]
    far = rng.normal(size=(60, 2)) * 0.35 + [0.2, 1.1]
    for rows, colour in ((near, plots.OTHER), (far, plots.CHOSEN)):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        axes[0].plot(*rows.T, ".", color=colour, alpha=0.3)
        axes[0].plot(*unit.T, ".", color=colour)
    axes[0].set(aspect="equal", title="1. every row to length 1")
    gap = np.linspace(0, 2, 50)
    axes[1].plot(gap, np.exp(-(gap**2) / 200), color=plots.OTHER)
    axes[1].set(xlabel="distance of two rows", title="2. the kernel of every pair")
    for ax in axes:
        ax.title.set_fontsize(9)
    return figure


def _draw_bootstrap():
    figure, (ax,) = plots.panels(width=5.4, height=2.6)
    values = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1, 0], float)
    picks = np.random.default_rng(0).integers(0, 10, (1000, 10))
    low, high = np.percentile(values[picks].mean(1), (2.5, 97.5))
    ax.hist(values[picks].mean(1), np.arange(-0.5, 11) / 10, color="0.75")
    ax.axvspan(low, high, color=plots.OTHER, alpha=0.15, label=f"the middle 95 %: {low:.1f} to {high:.1f}")
    ax.axvline(values.mean(), color=plots.CHOSEN, label="the mean of the 10 values")
    ax.set(xlabel="means of 1000 draws of 10 of them, with replacement", xlim=(-0.05, 1.05))
    ax.legend(fontsize=8, loc="upper left")
    return figure


EXERCISES = (
    Exercise("6.1", "Decibels", 2, "psnr", _errors, psnr, _draw_psnr),
    Exercise("6.2", "What is a success?", 3, "success_rates", _rows, success_rates, _draw_rates),
    Exercise("6.3", "An interval for a figure", 4, "bootstrap_interval", _samples, _bootstrap, _draw_bootstrap, run=_run_bootstrap),
    Exercise("6.4", "The Frechet distance", 4, "frechet_distance", _features, frechet_distance, _draw_frechet, _roughly(1e-3, 1e-3)),
    Exercise("6.5", "A distance without Gaussians", 4, "cmmd", _features, cmmd, _draw_kernel, _roughly(1e-4, 1e-5)),
    Exercise("6.6", "Structure around every pixel", 5, "ssim_map", _pairs, ssim_map, _draw_ssim, _roughly(0, 2e-3)),
)
