"""The figures of a report: best, median and worst edits; success against harm; whether the margin can be trusted; the cost."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..plots import CHOSEN, MASK, OTHER, WORDS, panels, show

EACH = 4  # number of best, of median and of worst edits on a sheet
BINS = 5  # of the margin, from 0 to 1
STAGES = ("detect", "match", "mask", "inpaint", "verify")
COLOURS = (OTHER, "#74c0fc", "#adb5bd", CHOSEN, MASK)


def ranked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The edits that came back, best first: successes before failures, and then by nearness to the ideal edit.

    Where no ideal is known, by how far CLIP saw them go in the direction of the words.
    """
    back = [row for row in rows if row["returned"]]
    return sorted(back, key=lambda row: (not row["success"], row.get("mse_ideal_inside", -row["clip_direction"]), row["key"]))


def picked(rows: Sequence[dict[str, Any]], each: int = EACH) -> dict[str, list[dict[str, Any]]]:
    """"best", "median" and "worst": `each` rows of `ranked`, no row twice."""
    order = ranked(rows)
    each = min(each, len(order) // 3)
    middle = (len(order) - each) // 2
    parts = {"best": order[:each], "median": order[middle : middle + each], "worst": order[len(order) - each :]}
    return {name: some for name, some in parts.items() if some}


def sheet(parts: dict[str, list[tuple[dict[str, Any], Sequence[Image.Image]]]], title: str = ""):
    """Best, median and worst edits, a row of pairs or triples each: input, edit and, where it is known, the ideal.

    parts: name -> (row, pictures). Returns the Figure. Taught in notebook 06.
    """
    wide = max(len(pictures) for some in parts.values() for _, pictures in some)
    columns = max(map(len, parts.values()))
    figure, axes = panels(len(parts), columns * wide, 1.5, 2.2)
    for ax in axes:
        ax.set_axis_off()
        ax.set_anchor("N")
    for line, (name, some) in enumerate(parts.items()):
        own = axes[line * columns * wide :][: columns * wide]
        own[0].text(-0.1, 0.5, name, transform=own[0].transAxes, fontsize=11, fontweight="bold", rotation=90, va="center", ha="right")
        for place, (row, pictures) in enumerate(some):
            _one_edit(own[place * wide :], row, pictures)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold", **WORDS)
    return figure


def _one_edit(axes: Sequence, row: dict[str, Any], pictures: Sequence[Image.Image]) -> None:
    """An edit's pictures side by side, with its prompt and what came of it underneath."""
    for ax, picture, word in zip(axes, pictures, ("input", "edit", "ideal")):
        show(picture, word, ax)
    said = textwrap.fill(row["prompt"].replace(" changes to ", " -> "), 17 * len(pictures), max_lines=3)
    text = axes[0].text(
        0, -0.04, f"{said}\n{'success' if row['success'] else 'failure'}, {row['status']}", transform=axes[0].transAxes,
        fontsize=7.5, va="top", color="darkgreen" if row["success"] else "firebrick", **WORDS,
    )  # fmt: skip
    text.set_in_layout(False)  # it may run on under the pictures beside it


def reliable(rows: Sequence[dict[str, Any]], bins: int = BINS) -> list[tuple[float, int, float]]:
    """How often the choice was right, by the margin with which it was made: (middle of the bin, edits, share right).

    Only edits in which an object was chosen count. Bins of equal width run from 0 to 1; empty ones are left out. Taught in notebook 06.
    """
    chosen = [row for row in rows if row["target"] is not None and row["box"] is not None]
    found = []
    for i in range(bins):
        inside = [row["target"] for row in chosen if min(int(row["margin"] * bins), bins - 1) == i]
        if inside:
            found.append(((i + 0.5) / bins, len(inside), float(np.mean(inside))))
    return found


def reliability(runs: dict[str, Sequence[dict[str, Any]]], ax=None):
    """Plots the share of right choices against the margin of the match: one line a run, the number of edits at each point.

    Returns the Axes. Taught in notebook 06.
    """
    ax = ax or panels(width=5.6, height=3.4)[1][0]
    for name, rows in runs.items():
        points = reliable(rows)
        if not points:
            continue
        x, counts, y = zip(*points)
        ax.plot(x, y, "o-", label=name, markersize=5)
        for a, n, b in points:
            ax.annotate(f"{n}", (a, b), textcoords="offset points", xytext=(0, 6), ha="center", fontsize=7)
    ax.set(xlabel="margin between the best two candidates (numbers: edits)", ylabel="share of right choices", xlim=(0, 1), ylim=(0, 1.12))
    ax.spines[["top", "right"]].set_visible(False)
    _legend(ax, loc="lower right")
    return ax


def unbeaten(success, harm) -> np.ndarray:
    """Which of N editors no other one beats (the Pareto front): bool [N].

    An editor beats another if it is at least as good in both, and better in one. success, harm: [N]; more success is
    better, and so is less harm. Editors that are alike do not beat each other. Taught in notebook 08.
    """
    success, harm = np.asarray(success), np.asarray(harm)
    as_good = (success[:, None] >= success) & (harm[:, None] <= harm)
    better = (success[:, None] > success) | (harm[:, None] < harm)
    return ~(as_good & better).any(0)


def success_and_harm(rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """The share of successes, and the mean squared error outside of the places of the edits.

    The error is the mean over the edits that came back, NaN where none did. Taught in notebook 08.
    """
    harm = [row["mse_outside"] for row in rows if row.get("mse_outside") is not None]
    return _mean([row["success"] for row in rows]), _mean(harm) if harm else math.nan


def trade_off(points: dict[str, tuple[float, float]], ax=None):
    """Plots success against what an edit did to the rest of the picture, one point an editor; returns the Axes.

    points: name -> (share of successes, mean squared error outside of the place of the edit). Those that no other beats
    (`unbeaten`) are filled. An error of 0 is drawn at the left edge of the logarithmic axis. An editor that gave no picture
    back (NaN) is not drawn. Taught in notebook 08.
    """
    ax = ax or panels(width=6.4, height=3.0)[1][0]
    points = {name: point for name, point in points.items() if not math.isnan(point[1])}
    success, harm = np.array([point[0] for point in points.values()]), np.array([point[1] for point in points.values()])
    least = min([1e-6, *harm[harm > 0]]) / 3
    for number, (name, front) in enumerate(zip(points, unbeaten(success, harm), strict=True)):
        face = f"C{number % 10}" if front else "white"
        ax.plot(max(harm[number], least), 100 * success[number], "o", color=f"C{number % 10}", markerfacecolor=face, markersize=8,
                markeredgewidth=2, label=name, clip_on=False)  # fmt: skip
    ax.set(xscale="log", xlim=(least / 2, 3 * max(harm.max(initial=0), least)), ylim=(-4, 104), ylabel="success, %",
           xlabel="mean squared error outside of the place of the edit (at the left edge: none)")  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    _legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def cost(runs: dict[str, Sequence[dict[str, Any]]], ax=None):
    """Plots the mean seconds of an edit by stage, one bar a run; returns the Axes. Taught in notebook 06."""
    ax = ax or panels(width=6.4, height=1.2 + 0.45 * len(runs))[1][0]
    left = np.zeros(len(runs))
    for stage, colour in zip(STAGES, COLOURS):
        seconds = np.array([_mean([row["seconds"].get(stage, 0.0) for row in rows if row["seconds"]]) for rows in runs.values()])
        ax.barh(range(len(runs)), seconds, left=left, color=colour, label=stage)
        left += seconds
    for y, total in enumerate(left):
        ax.text(total, y, f" {total:.2f} s", va="center", fontsize=8)
    ax.set_yticks(range(len(runs)), list(runs), **WORDS)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.15 * max(left.max(), 1e-3))
    ax.set_xlabel("seconds an edit, mean")
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    _legend(ax, ncols=len(STAGES), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return ax


def _legend(ax, **place) -> None:
    if not ax.get_legend_handles_labels()[0]:
        return
    for text in ax.legend(fontsize=8, frameon=False, **place).get_texts():
        text.set(**WORDS)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
