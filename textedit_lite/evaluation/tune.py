"""Searches a rival's settings on validation scenes, which neither training nor any table has seen, and writes the search down.

If there are few combinations, each is tried. Otherwise one setting after the other is tried at each of its values and the
best value is kept, until nothing gets better or MOST rounds are done. What counts is the oracle's success, and among equals
the nearness to the ideal edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SettingsError
from ..images import make_folder, write_text
from ..models import Models
from ..rivals.settings import settings_of
from ..seed import check_seed
from ..vocabulary import TASKS
from ..world.oracle import judge
from ..world.scenes import Scene, boxes, ideal_edit, render, visible_masks
from .cases import scene_edits
from .editors import Request, attempt, make_editor
from .manifest import rival_of
from .measure import mask_iou
from .rows import append, open_lines, read_lines
from .table import as_markdown

# In the order in which they are tried. The number of steps stays: it is a matter of patience, not of luck.
TRIED: dict[str, dict[str, tuple[float, ...]]] = {
    "sdedit": {"strength": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "guidance": (1.5, 3.0, 5.0, 7.5, 12.0)},
    "diffedit": {
        "threshold": (1.0, 1.5, 2.0, 3.0), "noise": (0.2, 0.3, 0.5, 0.7), "strength": (0.6, 0.8, 1.0), "guidance": (1.5, 3.0, 5.0, 7.5),
    },
    "instruct-pix2pix": {
        "guidance": (1.0, 1.5, 2.0, 3.0, 5.0), "image_guidance": (1.0, 1.2, 1.5, 2.0), "temperature": (0.0, 0.3, 0.6, 1.0),
    },
}  # fmt: skip
FEW = 40  # with at most this many combinations all are tried, as an editor that never succeeds gives a search no direction
MOST = 2  # rounds through all settings
BATCH = 8


@dataclass(frozen=True)
class Trial:
    """An edit of a validation scene, as an editor is asked for it, and what its oracle must know."""

    task: str
    scene: Scene
    index: int
    change: dict[str, str] = field(hash=False)
    request: Request = field(hash=False, repr=False)


def trials(task: str, seed: int) -> Iterator[Trial]:
    """Yields, without end, one edit for each validation scene that has an object for `task` that words can name.

    Taught in notebook 08.
    """
    for scene, index, change, prompt, rng in scene_edits(task, "validation", seed):
        box, pixels = tuple(boxes(scene)[index].tolist()), visible_masks(scene)[index].astype(bool)
        yield Trial(task, scene, index, change, Request(render(scene), prompt, int(rng.integers(2**31)), change, box, pixels))


def measure(rival: str, models: Models, settings: dict[str, float], some: Sequence[Trial]) -> dict[str, Any]:
    """What a rival achieves with some settings: success (all and by task), clean, mean squared errors (0 to 1), mask IoU.

    success: the oracle's; clean: success, and all that was to be kept is kept; mse_ideal: to the ideal edit, over the whole
    picture; mse_outside: to the input, where nothing should change. Taught in notebook 08.
    """
    way = make_editor(rival, models, settings=settings)
    rows: list[dict[str, Any]] = []
    for at in range(0, len(some), BATCH):
        part = some[at : at + BATCH]
        results = attempt(way, [trial.request for trial in part], models.known_words)
        if lost := [result.message for result in results if result.image is None]:
            raise SettingsError(f"{rival} fails with {settings}: {lost[0]}")
        rows += [_row(trial, result) for trial, result in zip(part, results, strict=True)]
    figures = {name: float(np.mean([row[name] for row in rows])) for name in ("success", "clean", "mse_ideal", "mse_outside")}
    for task in dict.fromkeys(row["task"] for row in rows):
        figures[task] = float(np.mean([row["success"] for row in rows if row["task"] == task]))
    if all(row["mask_iou"] is not None for row in rows):
        figures["mask_iou"] = float(np.mean([row["mask_iou"] for row in rows]))
    seconds = float(np.mean([row["seconds"] for row in rows]))
    return {name: round(value, 5) for name, value in figures.items()} | {"seconds": round(seconds, 3), "edits": len(rows)}


def _row(trial: Trial, result) -> dict[str, Any]:
    verdict = judge(trial.scene, trial.index, trial.change, result.image)
    before, after, ideal = (
        np.asarray(image, np.float64) / 255
        for image in (trial.request.image, result.image, ideal_edit(trial.scene, trial.index, trial.change))
    )
    outside = np.asarray(trial.request.place) == 0
    return {
        "task": trial.task, "success": verdict.success, "clean": verdict.success and all(verdict.kept.values()),
        "mse_ideal": ((after - ideal) ** 2).mean(), "mse_outside": ((after - before) ** 2)[outside].mean() if outside.any() else 0.0,
        "mask_iou": None if result.mask is None else mask_iou(result.mask, trial.request.pixels),
        "seconds": sum(result.timings_ms.values()) / 1000,
    }  # fmt: skip


def better(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the figures `one` are better than `other`: more success, or as much and nearer to the ideal edit."""
    return (one["success"], -one["mse_ideal"]) > (other["success"], -other["mse_ideal"])


def tune(rival: str, models: Models, out: Path | str, images: int = 16, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """Search a rival's settings with `images` edits of each task; returns the best, and writes the search into `out`.

    rows.jsonl: the figures of each combination tried, which a second start with the same weights does not measure again;
    table.md: the same as a table, best first. Raises SettingsError for an editor that is no rival, WeightsError without weights,
    OutputError where `out` cannot be written.
    Taught in notebook 08.
    """
    from tqdm import tqdm

    if rival not in TRIED:
        raise SettingsError(f"{rival!r} has no settings to search: choose one of {', '.join(TRIED)}.")
    if images < 1:
        raise SettingsError("Searching takes at least 1 image of each task: give --images 16, say.")
    check_seed(seed)
    out = make_folder(out)
    own = rival_of(rival, models)["weights_sha256"]  # weights that are trained anew keep their name
    rows = Rows(out / "rows.jsonl", {"rival": rival, "weights": models.name, "weights_sha256": own, "images": images, "seed": seed})
    some = [trial for task in TASKS for trial in islice(trials(task, seed), images)]
    with tqdm(desc=f"tuning {rival}", unit="setting", disable=None if progress else True) as bar:

        def figures(settings: dict[str, float]) -> dict[str, Any]:
            if (found := rows.find(settings)) is None:
                found = rows.add(settings, measure(rival, models, settings, some))
            bar.update()
            bar.set_postfix(success=f"{found['success']:.3f}")
            return found

        space = TRIED[rival]
        # What is searched together: all settings at once, or one after the other.
        groups = [tuple(space)] if prod(map(len, space.values())) <= FEW else [(name,) for name in space]
        best = settings_of(rival, models)
        score = figures(best)
        for _ in range(MOST):
            before = dict(best)
            for names in groups:
                for values in product(*(space[name] for name in names)):
                    tried = settings_of(rival, models, **best | dict(zip(names, values)))
                    if better(now := figures(tried), score):
                        best, score = tried, now
            if best == before:
                break
    write_text(out / "table.md", table(rows.rows, TRIED[rival]))
    return best


class Rows:
    """The combinations that were tried; each is kept in a file as soon as it is measured."""

    def __init__(self, path: Path, search: dict[str, Any]):
        self.path, self.search = path, search
        lines = read_lines(path) if path.exists() else []
        self.rows = [line["figures"] | {"settings": line["settings"]} for line in lines if line["search"] == search]

    def find(self, settings: dict[str, float]) -> dict[str, Any] | None:
        return next((row for row in self.rows if row["settings"] == settings), None)

    def add(self, settings: dict[str, float], figures: dict[str, Any]) -> dict[str, Any]:
        with open_lines(self.path) as file:
            append(file, {"search": self.search, "settings": settings, "figures": figures})
        self.rows.append(figures | {"settings": settings})
        return self.rows[-1]


def table(rows: Sequence[dict[str, Any]], varied: Sequence[str]) -> str:
    """The search in Markdown, best first: the settings that were varied, then the figures; shares in %."""
    tasks = [task for task in TASKS if task in rows[0]]
    names = [*varied, "success", *tasks, "success and kept", "MSE to the ideal, 1e-3", "MSE outside, 1e-3"]
    names += [*["mask IoU"] * ("mask_iou" in rows[0]), "s"]
    lines = [names]
    for row in sorted(rows, key=lambda row: (-row["success"], row["mse_ideal"])):
        cells = [f"{row['settings'][name]:g}" for name in varied]
        cells += [f"{100 * row[name]:.0f} %" for name in ("success", *tasks, "clean")]
        cells += [f"{1000 * row[name]:.2f}" for name in ("mse_ideal", "mse_outside")]
        cells += [f"{row[name]:.2f}" for name in ("mask_iou", "seconds") if name in row]
        lines.append(cells)
    return as_markdown(lines)
