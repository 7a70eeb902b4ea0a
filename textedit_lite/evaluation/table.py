"""Turns the rows of runs into the figures of a table, and the table into Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .metrics import clustered_interval


@dataclass(frozen=True)
class Column:
    """One figure of the table: its key in a row, its heading, how it is printed, and how rows become one figure."""

    key: str
    heading: str
    form: str = "{:.3f}"
    scale: float = 1.0
    statistic: Callable = np.mean


def percent(key: str, heading: str) -> Column:
    return Column(key, f"{heading}, %", "{:.0f}", 100.0)


# Four tables, as one with all columns would be wider than any page.
OUTCOME = (
    percent("returned", "a picture came back"), percent("target", "right object"), percent("verified", "editor says so"),
    percent("success", "success"), percent("right_of_itself", "right of itself"),
    percent("success_by_models", "success by DETR, CLIP, colour"), percent("kept", "the rest kept"),
)  # fmt: skip
CHANGE = (
    Column("ssim_512", "SSIM, whole, 512"), Column("ssim_outside", "SSIM outside", "{:.4f}"),
    Column("changed_outside_own_mask", "pixels changed outside its own mask, %", "{:.2f}", 100.0),
    Column("psnr_outside", "PSNR outside, dB", "{:.1f}"), Column("mse_outside", "MSE outside", "{:.1e}"),
    Column("mse_ideal_inside", "MSE to the ideal, inside", "{:.4f}"), Column("mask_iou", "mask IoU", "{:.2f}"),
    Column("clip_similarity", "CLIP similarity"), Column("clip_direction", "CLIP direction"),
)  # fmt: skip
COST = (
    Column("total", "seconds an edit, mean", "{:.2f}"), Column("total_median", "median", "{:.2f}", statistic=np.median),
    Column("rounds", "rounds", "{:.2f}"), Column("sharpness", "sharpness, median", "{:.2f}", statistic=np.median),
)  # fmt: skip
DISTANCES = (
    Column("frechet_clip", "Frechet distance, CLIP", "{:.4f}"), Column("kid_clip", "KID, CLIP, 1e-3", "{:.3f}", 1e3),
    Column("cmmd_clip", "CMMD", "{:.2f}"), Column("fid", "FID", "{:.1f}"),
)  # fmt: skip
TABLES = {
    "How the edits turned out": OUTCOME, "What the edits did to the pictures": CHANGE, "Time": COST,
    "Distances of sets: the edits against their originals": DISTANCES,
}  # fmt: skip

# What the paper reports: 1,000 images of COCO val2017, four tasks, an RTX A5000.
PAPER = {"returned": "about 99", "ssim_512": "about 0.63", "total": "2.65", "fid": "33.9 to 37.0"}


def figures(rows: Sequence[dict[str, Any]], distances: dict[str, Any] | None = None) -> dict[str, Any]:
    """The figures of some rows: N, how many came back, and for each column its value and 95 % bootstrap interval (value, low, high).

    Rows in which a measure is None or missing do not count towards it: pixels can be measured only in what came back. A
    measure that no row has is left out. The bootstrap draws pictures, with all of their edits (`clustered_interval`), as
    the edits of a picture succeed or fail together. Taught in notebook 06.
    """
    found: dict[str, Any] = {"n": len(rows), "back": sum(row["returned"] for row in rows)}
    looks = any(row.get("shown") for row in rows)
    rows = [_completed(row, looks) for row in rows]
    for column in (*OUTCOME, *CHANGE, *COST):
        counted = [row for row in rows if row.get(column.key) is not None]
        values = [float(row[column.key]) for row in counted]
        if values:
            interval = clustered_interval(values, [row["image_id"] for row in counted], column.statistic)
            found[column.key] = (float(column.statistic(values)), *interval)
    for column in DISTANCES:
        if distances and column.key in distances:
            found[column.key] = (distances[column.key], math.nan, math.nan)
    return found


def _completed(row: dict[str, Any], looks: bool) -> dict[str, Any]:
    """A row with what follows from it; where the editor looked at none of its edits, none of them has a verdict."""
    total = sum(row["seconds"].values()) if row["seconds"] else None
    verdict = bool(row["verified"]) if looks else None
    right = verdict == bool(row["success"]) if looks and row["returned"] else None
    return row | {"total": total, "total_median": total, "rounds": row["rounds"] or None, "verified": verdict, "right_of_itself": right}


def shown(column: Column, figure: tuple[float, float, float] | None) -> str:
    """A figure with its interval, as in "92 (87 to 97)"."""
    if figure is None:
        return "-"
    value, low, high = (column.form.format(column.scale * v) for v in figure)
    return value if math.isnan(figure[1]) or low == high else f"{value} ({low} to {high})"


def grid(lines: Sequence[tuple[str, str, dict[str, Any]]], columns: Sequence[Column]) -> list[list[str]]:
    """The cells of one table, heading first; lines: (task, editor, figures).

    A column that neither the lines nor the paper has is left out.
    """
    there = {key for _, _, found in lines for key in found}
    if not there & {column.key for column in columns}:
        return []
    columns = [column for column in columns if column.key in there | PAPER.keys()]
    count = "back" if columns[0] in (*CHANGE, *DISTANCES) else "n"  # no pixel is measured of what did not come back
    cells = [["task", "editor", "N", *(column.heading for column in columns)]]
    for task, editor, found in lines:
        cells.append([task, editor, str(found[count]), *(shown(column, found.get(column.key)) for column in columns)])
    if any(column.key in PAPER for column in columns):
        cells.append(["all four", "the paper, as reported", "4000", *(PAPER.get(column.key, "-") for column in columns)])
    return cells


def as_markdown(cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]]) + "\n"


def as_latex(cells: Sequence[Sequence[str]], caption: str) -> str:
    """A table in LaTeX, with booktabs' rules."""
    rows = [" & ".join(_escaped(cell) for cell in row) + r" \\" for row in cells]
    body = "\n".join([r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"])
    columns = "ll" + "r" * (len(cells[0]) - 2)
    return (f"\\begin{{table}}\n\\caption{{{_escaped(caption)}}}\n\\begin{{tabular}}{{{columns}}}\n{body}\n"
            "\\end{tabular}\n\\end{table}\n")  # fmt: skip


def as_csv(lines: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """All figures of all tables as CSV: one line per task and editor, with the ends of each interval.

    n: edits; back: those that came back.
    """
    columns = [column for columns in TABLES.values() for column in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "editor", "n", "back", *(f"{c.key}{end}" for c in columns for end in ("", "_low", "_high"))])
    for task, editor, found in lines:
        values = [v for column in columns for v in found.get(column.key, (math.nan,) * 3)]
        writer.writerow([task, editor, found["n"], found["back"], *("" if math.isnan(v) else f"{v:.6g}" for v in values)])
    return text.getvalue()


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "%&_#$" else letter for letter in text)
