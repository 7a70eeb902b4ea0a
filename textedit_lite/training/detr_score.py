"""Measures a detector: COCO's box AP and AP50, for a model in training or a saved one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..checkpoints import image_processor
from ..errors import WeightsError
from ..world.scenes import make_scene, render
from ..world.sprites import CATEGORIES
from .data import Labelled, label


def average_precision(found: list[list[tuple]], scenes: list[list[Labelled]], size: int) -> dict[str, float]:
    """COCO's box AP and AP50 by pycocotools; `found` holds (label, score, xyxy box in pixels) for each scene."""
    import contextlib
    import io

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def record(image, category, box):
        x0, y0, x1, y1 = (float(v) for v in box)
        return {"image_id": image, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}  # fmt: skip

    truths = [record(i, CATEGORIES.index(t.category), t.box) for i, things in enumerate(scenes) for t in things]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": i, "width": size, "height": size} for i in range(len(scenes))],
            "categories": [{"id": i, "name": name} for i, name in enumerate(CATEGORIES)],
            "annotations": [{"id": n + 1, **record} for n, record in enumerate(truths)],
        }
        coco.createIndex()
        answers = [
            {**record(i, category, box), "score": score}
            for i, items in enumerate(found)
            for category, score, box in items
        ]
        if not answers:
            return {"ap": 0.0, "ap50": 0.0}
        evaluation = COCOeval(coco, coco.loadRes(answers), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"ap": round(float(evaluation.stats[0]), 4), "ap50": round(float(evaluation.stats[1]), 4)}


def check(model, images: np.ndarray, scenes: list[list[Labelled]], size: int, dense: bool = False) -> dict[str, float]:
    """AP of a model in training; with `dense`, that of the encoder's answers instead, after non-maximum suppression."""
    import torch

    from .detr_loss import corners
    from .detr_model import decode, encode, heads, normalise

    model.eval()
    found, where = [], next(model.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(images), 50):
            tokens, positions, _ = encode(model, normalise(torch.from_numpy(images[start : start + 50]).to(where)))
            logits, boxes = heads(model, tokens if dense else decode(model, tokens, positions)[-1])
            scores, labels = logits.softmax(-1)[..., :-1].max(-1)
            for answer in zip(labels.cpu(), scores.cpu(), corners(boxes).cpu() * size, strict=True):
                kept = suppress(*answer) if dense else slice(None)
                found.append(list(zip(*(part[kept].tolist() for part in answer), strict=True)))
    return average_precision(found, scenes, size)


def suppress(labels, scores, boxes, overlap: float = 0.6):
    """Non-maximum suppression within each class: indices of the answers that are kept, best first."""
    import torch

    from .detr_loss import giou

    rivals = (giou(boxes[:, None], boxes[None]) > overlap) & (labels[:, None] == labels[None])
    alive, kept = torch.ones(len(labels), dtype=torch.bool), []
    for i in scores.argsort(descending=True).tolist():
        if alive[i]:
            kept.append(i)
            alive &= ~rivals[i]
    return torch.tensor(kept)


def score(folder: Path | str, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """AP and AP50 (pycocotools) of a saved detector on test scenes, through the library's own processor and model.

    Raises WeightsError if `folder` holds no detector. Taught in notebook 01.
    """
    import torch
    from tqdm import tqdm
    from transformers import DetrForObjectDetection

    if not (Path(folder) / "config.json").exists():
        raise WeightsError(f"No detector lies in {folder}: train one with `textedit-lite train detr --out {folder}`.")
    processor = image_processor(folder)
    model = DetrForObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
    found, scenes = [], []
    for start in tqdm(range(0, count, 25), desc="scoring the detector", unit="batch", disable=not progress):
        made = [make_scene(i, "test", seed) for i in range(start, min(start + 25, count))]
        scenes += [label(scene) for scene in made]
        with torch.inference_mode():
            output = model(**processor([render(scene) for scene in made], return_tensors="pt"))
        sizes = [(scene.height, scene.width) for scene in made]
        for answer in processor.post_process_object_detection(output, threshold=0.0, target_sizes=sizes):
            found.append(list(zip(*(answer[key].tolist() for key in ("labels", "scores", "boxes")), strict=True)))
    return average_precision(found, scenes, 256)
