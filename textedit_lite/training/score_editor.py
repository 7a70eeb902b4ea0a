"""Measures the whole editor on unseen scenes, with the oracle as judge."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..boxes import iou
from ..errors import OutputError, SettingsError
from ..prompt import task_prompt
from ..vocabulary import COLOURS, TASKS, describe
from ..world.oracle import Judgement, judge
from ..world.scenes import Scene, SceneObject, boxes, full_mask, ideal_edit, make_scene, mask_box, render, visible_masks

VISIBLE = 0.7  # of an object's pixels must show for it to be edited
MATCHED = 0.5  # IoU from which a box is the object's
SHOWN = 24  # edits on the contact sheet
RESAMPLES = 1000


@dataclass(frozen=True)
class Case:
    """One edit to make: object `index` of `scene` is to show `change`, as `prompt` says; `seed` is the painter's."""

    task: str
    scene: Scene
    index: int
    change: dict[str, str]
    prompt: str
    seed: int


# --- what is edited ----------------------------------------------------------------------------------------------


def targets(scene: Scene, task: str) -> list[int]:
    """The objects of a scene that an edit of `task` can be judged on.

    Those of which at least 70 % shows, which the border does not cut, and which do not show already what the task asks.
    Raises SettingsError for an unknown task. Taught in notebook 05.
    """
    if task not in TASKS:
        raise SettingsError(f"There is no task {task!r}: choose one of {', '.join(TASKS)}.")
    attribute, value = TASKS[task]
    visible = visible_masks(scene)
    found = []
    for i, thing in enumerate(scene.objects):
        full = full_mask(scene, i)
        x0, y0, x1, y1 = mask_box(full)
        inside = 0 < x0 and 0 < y0 and x1 < scene.width and y1 < scene.height
        if inside and visible[i].sum() >= VISIBLE * full.sum() and getattr(thing, attribute) != value:
            found.append(i)
    return found


def asked_change(task: str, thing: SceneObject, rng: np.random.Generator) -> dict[str, str]:
    """What an edit of `task` asks of an object: attribute -> value; COLOR asks for any colour but its own, by lot."""
    attribute, value = TASKS[task]
    return {attribute: value or str(rng.choice([colour for colour in COLOURS if colour != thing.colour]))}


def name_of(scene: Scene, index: int) -> tuple[str, str | None] | None:
    """(category, None) if an object alone is of its category, (category, colour) if that tells it apart, else None."""
    thing = scene.objects[index]
    alike = [other for other in scene.objects if other.category == thing.category]
    if len(alike) == 1:
        return thing.category, None
    return (thing.category, thing.colour) if sum(other.colour == thing.colour for other in alike) == 1 else None


def cases(count: int, seed: int, task: str) -> list[Case]:
    """One edit in each of the first `count` test scenes that have an object for `task` which words can name."""
    found, number = [], 0
    while len(found) < count:
        scene = make_scene(number, "test", seed)
        named = [i for i in targets(scene, task) if name_of(scene, i)]
        if named:
            rng = np.random.default_rng([seed, number, list(TASKS).index(task)])
            index = int(rng.choice(named))
            category, colour = name_of(scene, index)
            change = asked_change(task, scene.objects[index], rng)
            prompt = task_prompt(task, category, change.get("colour"), colour)
            found.append(Case(task, scene, index, change, prompt, number))
        number += 1
    return found


# --- how an edit is measured -------------------------------------------------------------------------------------


def gradient_energy(image: Image.Image, mask: np.ndarray) -> float:
    """Mean squared difference in luminance, 0 to 255, of neighbours that both lie in `mask` (bool [H, W])."""
    light = np.asarray(image.convert("L"), np.float64)
    across, down = mask[:, 1:] & mask[:, :-1], mask[1:] & mask[:-1]
    total = (np.diff(light, axis=1)[across] ** 2).sum() + (np.diff(light, axis=0)[down] ** 2).sum()
    return float(total / max(across.sum() + down.sum(), 1))


def measure(case: Case, image: Image.Image, result: Any) -> dict[str, Any]:
    """What one edit came to; `result` is the editor's EditResult for the rendered scene `image`.

    target: the chosen box has an IoU over 0.5 with the object's and with no other's a higher one. success and kept are
    the oracle's. sharpness: gradient energy in the mask, edit over ideal edit. background_changed: number of pixels
    outside of the mask's support that differ.
    """
    edited = result.image if result.image is not None else image
    verdict = judge(case.scene, case.index, case.change, edited)
    overlaps = iou(result.box, boxes(case.scene))[0] if result.box is not None else np.zeros(len(case.scene.objects))
    row: dict[str, Any] = {
        "task": case.task, "scene": case.scene.index, "object": case.index, "prompt": case.prompt,
        "status": result.status,
        "target": bool(overlaps.argmax() == case.index and overlaps[case.index] > MATCHED),
        "success": verdict.success, "verified": bool(result.verified), "verdict": verdict, "edited": edited,
    }  # fmt: skip
    differs = (np.asarray(edited) != np.asarray(image)).any(-1)
    support = np.asarray(result.mask) > 0 if result.mask is not None else np.zeros_like(differs)
    row["background_changed"] = int((differs & ~support).sum())
    if row["target"] and support.any():  # of an object that was not touched, all is kept
        names = ("view", "pose") if case.task == "color" else ("colour",)
        row["kept"] = all(verdict.kept[name] for name in names)
        if verdict.category:
            row["kept_if_seen"] = row["kept"]
        row["all_kept"] = verdict.category == case.scene.objects[case.index].category and all(verdict.kept.values())
        ideal = gradient_energy(ideal_edit(case.scene, case.index, case.change), support)
        row["sharpness"] = gradient_energy(edited, support) / max(ideal, 1e-6)
    return row


def interval(values: list[float], statistic=np.mean, seed: int = 0) -> list[float]:
    """95 % bootstrap interval (percentiles of 1000 resamples) of a statistic of values: [low, high]."""
    if not values:
        return [float("nan")] * 2
    values = np.asarray(values, float)
    picks = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    return np.percentile(statistic(values[picks], axis=1), [2.5, 97.5]).round(4).tolist()


# --- the measure -------------------------------------------------------------------------------------------------


def score_editor(
    models: Any, count: int = 1000, seed: int = 0, batch: int = 8, *, out: Path | str | None = None,
    progress: bool = True, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    """Edit `count` unseen test scenes for each of the four tasks, and let the oracle grade the edits.

    Args:
        models: what `load_models` returned; batch: edits at a time; settings: passed on to `Editor.edit_batch`.
        out: a folder for `edits.jsonl`, a row an edit, and `sheet.png`: the first 24 edits, their ideals and verdicts.

    Returns shares of edits (0 to 1), where an edit that found nothing is a failure: `target` (the right object chosen,
    which the prompt names by its category, or by colour and category among several), `color`, `updown`, `tilt`, `front`
    (the change is there and the object is still of its category). Of the edits of the right object: `kept` (colour
    under updown, tilt and front; view and pose under color; never where no object is recognised), `kept_if_seen` (the
    same among those in which one is), `all_kept` (all that is not named), `sharpness` (median of the gradient energy in
    the mask over that of the ideal edit). And `background_changed` (pixels outside of the
    masks that differ, in all edits together), `verified_rightly` (the editor's own verdict is the oracle's),
    `seconds` an edit, `statuses`, and `intervals` (95 %, bootstrap).
    Raises SettingsError for a count or batch under 1. Taught in notebook 05.
    """
    from tqdm import tqdm

    from ..editor import Editor

    if count < 1 or batch < 1:
        raise SettingsError("Score at least 1 scene in batches of at least 1, as in --count 100.")
    folder = _folder(out)
    editor = Editor(models)
    todo = [case for four in zip(*(cases(count, seed, task) for task in TASKS), strict=True) for case in four]
    rows: list[dict[str, Any]] = []
    shown: list[tuple[Case, Image.Image, dict]] = []
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
        (folder / "edits.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        contact_sheet(shown).save(folder / "sheet.png")
    return summary(rows) | {"seconds": round(seconds / len(rows), 3)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of `score_editor` out of its rows, without the time."""
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


def _folder(out: Path | str | None) -> Path | None:
    if out is None:
        return None
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write to {out} ({error.strerror}): choose another folder.") from error
    return Path(out)


# --- the contact sheet -------------------------------------------------------------------------------------------


def as_words(verdict: Judgement) -> str:
    """What the oracle saw, e.g. "a red car facing the front upright", and how sure it is."""
    seen = describe(verdict.category, verdict.colour, verdict.view, verdict.pose) if verdict.category else "nothing"
    return f"{'success' if verdict.success else 'failure'}: {seen} ({verdict.likeness:.2f})"


def contact_sheet(shown: list[tuple[Case, Image.Image, dict]], columns: int = 3, side: int = 192) -> Image.Image:
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
