"""Measures the masks: how well each kind matches the object, and how much of its neighbours an edit would repaint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..boxes import iou as box_iou
from ..detect import Detections, detect_batch
from ..errors import SettingsError
from ..evaluation.cases import targets
from ..mask import build_mask
from ..models import lone_segmenter
from ..segment import KINDS, extent, filled, fit, query_shapes, sam_shapes, shape_iou, shapes
from ..vocabulary import POSE_DEGREES, TASKS
from ..world.scenes import Scene, make_scene, render, visible_masks
from .sam import LEAST, jittered

AT_ONCE = 25  # scenes that the detector looks at in one call
FOUND = 0.5  # IoU from which a detector's box is the object's


def walk(
    count: int, seed: int, detector: Any, progress: bool, what: str
) -> Iterator[tuple[Scene, Image.Image, np.ndarray, Detections | None]]:
    """Yields test scenes with their picture, their true shapes (bool [N, H, W], back to front), and what the detector finds.

    detector: (model, processor), or None for no detections.
    """
    from tqdm import tqdm

    with tqdm(total=count, desc=f"scoring {what}", unit="scene", disable=not progress) as bar:
        for start in range(0, count, AT_ONCE):
            scenes = [make_scene(i, "test", seed) for i in range(start, min(start + AT_ONCE, count))]
            images = [render(scene) for scene in scenes]
            found = detect_batch(images, *detector) if detector else [None] * len(scenes)
            for scene, image, detections in zip(scenes, images, found, strict=True):
                yield scene, image, visible_masks(scene).astype(bool), detections
                bar.update()


def pairs(truth: np.ndarray, boxes: np.ndarray) -> dict[int, int]:
    """Which box shows which true shape: object -> box, by the IoU of the boxes, at least 0.5."""
    if not len(boxes):
        return {}
    overlaps = box_iou(np.array([extent(shape) for shape in truth], np.float32), boxes)
    return {i: int(row.argmax()) for i, row in enumerate(overlaps) if row.max() >= FOUND and truth[i].sum() >= LEAST}


def prompts(truth: np.ndarray, seed: int, index: int) -> tuple[list[int], np.ndarray]:
    """The visible objects of a scene, and their true boxes with edges moved a little, as a detector's: float32 [N, 4].

    Taught in notebook 07.
    """
    rng = np.random.default_rng([seed, index])
    shown = [i for i, shape in enumerate(truth) if shape.sum() >= LEAST]
    boxes = [jittered(np.array(extent(truth[i])), rng, truth.shape[1:][::-1]) for i in shown]
    return shown, np.array(boxes, np.float32).reshape(-1, 4)


def score_sam(folder: Path | str, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """`iou` of a saved SAM on test scenes, given jittered true boxes; `box` is the IoU of these boxes themselves."""
    model, processor = lone_segmenter(folder, "sam")
    values: dict[str, list[float]] = {"iou": [], "box": []}
    for scene, image, truth, _ in walk(count, seed, None, progress, "SAM"):
        shown, boxes = prompts(truth, seed, scene.index)
        for i, box, shape in zip(shown, boxes, sam_shapes(image, boxes, model, processor), strict=True):
            values["iou"].append(shape_iou(shape, truth[i]))
            values["box"].append(shape_iou(filled(box, image.size), truth[i]))
    found = np.array(values["iou"])
    shares = {"above_0.9": round(float((found > 0.9).mean()), 4), "below_0.7": round(float((found < 0.7).mean()), 4)}
    return {name: round(float(np.mean(numbers)), 4) for name, numbers in values.items()} | shares | {"objects": len(found)}


def score_queries(folder: Path | str, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """`iou` of a saved Mask2Former on test scenes, given true boxes with jittered edges; `found`: the share of objects found.

    An object that no query's shape fits has an IoU of 0.
    """
    model, processor = lone_segmenter(folder, "mask2former")
    values = []
    for scene, image, truth, _ in walk(count, seed, None, progress, "Mask2Former"):
        shown, boxes = prompts(truth, seed, scene.index)
        values += [shape_iou(shape, truth[i]) for i, shape in zip(shown, query_shapes(image, boxes, model, processor), strict=True)]
    found = np.array(values)
    return {"iou": round(float(found.mean()), 4), "found": round(float((found > 0).mean()), 4), "objects": len(found)}


def score_masks(models: Any, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """How good each kind of mask that these models have is, on the first `count` test scenes of a seed.

    `iou`: the mean IoU of a kind's shape with the visible part of the object, given true boxes with jittered edges.
    `iou_detr`: the same, given the boxes of the models' DETR, over the objects that it finds. `covered`: for each task and
    kind, the share of all pixels of other objects that the edits' masks would repaint, given DETR's boxes, over the
    objects that such a task can ask for. `touched`: the share of those edits that would repaint any such pixel at all.
    Raises SettingsError for a count under 1. Taught in notebook 07.
    """
    if count < 1:
        raise SettingsError(f"{count} scenes cannot be scored: give --count 1 or more.")
    kinds = [kind for kind in KINDS if kind == "box" or models.has_segmenter(kind)]
    ious: dict[str, dict[str, list[float]]] = {"iou": defaultdict(list), "iou_detr": defaultdict(list)}
    pixels: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for scene, image, truth, found in walk(count, seed, (models.detr, models.detr_processor), progress, "masks"):
        shown, boxes = prompts(truth, seed, scene.index)
        matched = pairs(truth, found.boxes)
        for kind in kinds:
            for i, shape in zip(shown, shapes(image, boxes, kind, models), strict=True):
                ious["iou"][kind].append(shape_iou(shape, truth[i]))
            answers = shapes(image, found.boxes, kind, models)
            for i, j in matched.items():
                ious["iou_detr"][kind].append(shape_iou(answers[j], truth[i]))
            for task in TASKS:
                for i in set(targets(scene, task)) & matched.keys():
                    mask = np.asarray(task_mask(scene, i, task, found.boxes, matched[i], answers, kind)) > 0
                    others = np.delete(truth, i, 0)
                    pixels[task, kind].append((int((others & mask).sum()), int(others.sum())))
    covered = {task: {kind: round(_share(pixels[task, kind]), 4) for kind in kinds} for task in TASKS}
    touched = {task: {kind: _mean(a > 0 for a, _ in pixels[task, kind]) for kind in kinds} for task in TASKS}
    means = {name: {kind: _mean(values) for kind, values in table.items()} for name, table in ious.items()}
    return means | {"covered": covered, "touched": touched, "objects": len(ious["iou"]["box"])}


def task_mask(scene: Scene, index: int, task: str, boxes: np.ndarray, place: int, answers: np.ndarray, kind: str) -> Image.Image:
    """The mask that the editor would build for a task from detections; `place` is the index of the object's."""
    attribute, value = TASKS[task]
    mask = build_mask((scene.width, scene.height), boxes[place], **({attribute: value} if value else {}))
    if kind == "box":
        return mask
    degrees = None if attribute == "view" else 0.0
    if attribute == "pose":
        degrees = POSE_DEGREES[value] - POSE_DEGREES[scene.objects[index].pose]
    others = [shape for j, shape in enumerate(answers) if j != place]
    return fit(mask, boxes[place], answers[place], others, degrees)[0]


def _share(counts: list[tuple[int, int]]) -> float:
    total = sum(all_of_them for _, all_of_them in counts)
    return sum(some for some, _ in counts) / total if total else 0.0


def _mean(values) -> float:
    values = list(values)
    return round(float(np.mean(values)), 4) if values else float("nan")
