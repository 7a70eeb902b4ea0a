"""Measures the whole editor on unseen scenes, with the oracle as judge."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import SettingsError
from ..evaluation.cases import scene_edits
from ..evaluation.metrics import bootstrap_interval
from ..evaluation.verdict import as_words, background_changed, by_oracle, hits, support
from ..images import make_folder, save_png, write_text
from ..vocabulary import TASKS
from ..world.scenes import Scene, boxes, ideal_edit, render

SHOWN = 24  # edits on the contact sheet


@dataclass(frozen=True)
class SceneCase:
    """One edit to make: object `index` of `scene` is to show `change`, as `prompt` says; `seed` is the painter's."""

    task: str
    scene: Scene
    index: int
    change: dict[str, str]
    prompt: str
    seed: int


# --- what is edited ----------------------------------------------------------------------------------------------


def scene_cases(count: int, seed: int, task: str) -> list[SceneCase]:
    """One edit in each of the first `count` test scenes that have an object for `task` that words can name."""
    chosen = islice(scene_edits(task, "test", seed), count)
    return [SceneCase(task, scene, index, change, prompt, scene.index) for scene, index, change, prompt, _ in chosen]


# --- how an edit is measured -------------------------------------------------------------------------------------


def measure(case: SceneCase, image: Image.Image, result: Any) -> dict[str, Any]:
    """The measures of one edit; `result` is the editor's EditResult for the rendered scene `image`.

    target: `hits`, whether the chosen box is the object's. success, kept and sharpness: from `by_oracle`.
    background_changed: number of pixels outside of the mask's support that differ.
    """
    edited = result.image if result.image is not None else image
    target = hits(result.box, boxes(case.scene), case.index)
    return {
        "task": case.task, "scene": case.scene.index, "object": case.index, "prompt": case.prompt,
        "status": result.status, "target": target, "verified": bool(result.verified), "edited": edited,
        "background_changed": background_changed(image, edited, result.mask),
        **by_oracle(case.scene, case.index, case.change, edited, support(result.mask, image.size), target),
    }  # fmt: skip


def interval(values: list[float], statistic=np.mean) -> list[float]:
    """The 95 % `bootstrap_interval` of a statistic of values, to 4 digits: [low, high]."""
    return [round(bound, 4) for bound in bootstrap_interval(values, statistic)]


# --- the measure -------------------------------------------------------------------------------------------------


def score_editor(
    models: Any, count: int = 1000, seed: int = 0, batch: int = 8, *, out: Path | str | None = None,
    progress: bool = True, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Edit `count` unseen test scenes for each of the four tasks, and let the oracle grade the edits.

    Args:
        models: what `load_models` returned; batch: edits at a time; settings: passed on to `Editor.edit_batch`.
        out: a folder for `edits.jsonl`, one row per edit, and `sheet.png`: the first 24 edits, their ideals and verdicts.

    Returns shares of edits (0 to 1), where an edit that found nothing is a failure: `target` (the right object was chosen;
    the prompt names it by its category, or by colour and category among several), `color`, `updown`, `tilt`, `front`
    (the change is there and the object is still of its category). For the edits of the right object: `kept` (colour
    under updown, tilt and front; view and pose under color; never where no object is recognised), `kept_if_seen` (the
    same, only where an object is recognised), `all_kept` (all that is not named), `sharpness` (median of the gradient
    energy in the mask over that of the ideal edit). Also `background_changed` (pixels outside of the masks that differ,
    in all edits together), `verified_rightly` (the editor's own verdict agrees with the oracle's), `seconds` per edit,
    `statuses`, and `intervals` (95 %, bootstrap).
    Raises SettingsError for a count or batch under 1. Taught in notebook 05.
    """
    from tqdm import tqdm

    from ..editor import Editor

    if count < 1 or batch < 1:
        raise SettingsError("Score at least 1 scene in batches of at least 1, as in --count 100.")
    folder = None if out is None else make_folder(out)
    editor = Editor(models)
    todo = [case for four in zip(*(scene_cases(count, seed, task) for task in TASKS), strict=True) for case in four]
    rows: list[dict[str, Any]] = []
    shown: list[tuple[SceneCase, Image.Image, dict]] = []
    seconds = 0.0
    with tqdm(total=len(todo), desc="scoring the editor", unit="edit", disable=not progress) as bar:
        for start in range(0, len(todo), batch):
            some = todo[start : start + batch]
            images = [render(case.scene) for case in some]
            began = time.perf_counter()
            prompts, seeds = [case.prompt for case in some], [case.seed for case in some]
            results = editor.edit_batch(images, prompts, seeds, **settings)
            seconds += time.perf_counter() - began
            for case, image, result in zip(some, images, results, strict=True):
                row = measure(case, image, result)
                if folder and len(shown) < SHOWN:
                    shown.append((case, image, dict(row)))
                del row["edited"]
                rows.append(row)
            bar.update(len(some))
            bar.set_postfix(success=f"{np.mean([row['success'] for row in rows]):.3f}")
    if folder:
        lines = [json.dumps({**row, "verdict": asdict(row["verdict"])}) for row in rows]
        write_text(folder / "edits.jsonl", "\n".join(lines) + "\n")
        save_png(contact_sheet(shown), folder / "sheet.png")
    return summary(rows) | {"seconds": round(seconds / len(rows), 3)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of `score_editor`, computed from its rows, without the time."""
    values = {"target": [row["target"] for row in rows]}
    for task in ("color", "updown", "tilt", "front"):
        values[task] = [row["success"] for row in rows if row["task"] == task]
    for name in ("kept", "kept_if_seen", "all_kept", "sharpness"):
        values[name] = [row[name] for row in rows if name in row]
    statistics = {name: np.median if name == "sharpness" else np.mean for name in values}
    return {
        **{name: round(float(statistics[name](found)), 4) if found else float("nan") for name, found in values.items()},
        "background_changed": sum(row["background_changed"] for row in rows),
        "edits": len(rows),
        "statuses": dict(Counter(row["status"] for row in rows)),
        "verified_rightly": round(float(np.mean([row["verified"] == row["success"] for row in rows])), 4),
        "intervals": {name: interval(found, statistics[name]) for name, found in values.items()},
    }


# --- the contact sheet -------------------------------------------------------------------------------------------


def contact_sheet(shown: list[tuple[SceneCase, Image.Image, dict]], columns: int = 3, side: int = 192) -> Image.Image:
    """Input, result and ideal edit of each case side by side, with prompt and verdict underneath: PIL RGB."""
    from PIL import ImageDraw

    width, height = 3 * side + 12, side + 44
    sheet = Image.new("RGB", (columns * width, max(1, -(-len(shown) // columns)) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (case, image, row) in enumerate(shown):
        x, y = number % columns * width, number // columns * height
        pictures = (image, row["edited"], ideal_edit(case.scene, case.index, case.change))
        for place, picture in enumerate(pictures):
            sheet.paste(picture.resize((side, side), Image.Resampling.LANCZOS), (x + place * side, y))
        draw.text((x + 4, y + side + 3), f"{case.prompt} [{row['status']}]", "black")
        draw.text((x + 4, y + side + 20), as_words(row["verdict"]), "darkgreen" if row["success"] else "firebrick")
    return sheet
