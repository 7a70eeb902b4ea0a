"""Writes scenes as a COCO data set: images/, instances.json and captions.json, which pycocotools loads as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import OutputError, SettingsError
from ..images import make_folder, save_png, write_text
from ..vocabulary import COCO_IDS
from .scenes import SPLITS, Scene, captions, make_scene, mask_box, relations, render, visible_masks
from .sprites import CATEGORIES


def encode_rle(mask: np.ndarray) -> dict:
    """A {0, 1} mask [H, W] as COCO's compressed run-length encoding, ready for JSON."""
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(v) for v in rle["size"]], "counts": rle["counts"].decode("ascii")}


def annotations(scene: Scene, image_id: int, first_id: int) -> list[dict]:
    """One COCO annotation for each visible object; bbox is xywh in pixels, attributes hold the ground truth of the scene."""
    rows = []
    masks = visible_masks(scene)
    links = relations(scene)
    for i, (thing, mask) in enumerate(zip(scene.objects, masks)):
        x0, y0, x1, y1 = mask_box(mask)
        if not mask.any():
            continue
        rows.append({
            "id": first_id + len(rows), "image_id": image_id, "category_id": COCO_IDS[thing.category], "iscrowd": 0,
            "bbox": [x0, y0, x1 - x0, y1 - y0], "area": int(mask.sum()), "segmentation": encode_rle(mask),
            "attributes": {
                "colour": thing.colour, "view": thing.view, "pose": thing.pose, "order": i,
                "relations": [[relation, j] for a, relation, j in links if a == i],
            },
        })  # fmt: skip
    return rows


def as_coco(scenes: Iterable[Scene]) -> tuple[dict, dict]:
    """The instances and the captions of scenes as COCO's two dictionaries; image ids are 1 + the scene's index."""
    images, instances, sentences = [], [], []
    for scene in scenes:
        image_id = scene.index + 1
        images.append({"id": image_id, "file_name": f"{image_id:012d}.png", "width": scene.width, "height": scene.height})
        instances += annotations(scene, image_id, len(instances) + 1)
        for text in captions(scene):
            sentences.append({"id": len(sentences) + 1, "image_id": image_id, "caption": text})
    info = {"description": "textedit-lite's small world", "version": "1"}
    categories = [{"id": COCO_IDS[name], "name": name, "supercategory": "object"} for name in CATEGORIES]
    return ({"info": info, "images": images, "annotations": instances, "categories": categories},
            {"info": info, "images": images, "annotations": sentences})


def write_set(out: Path | str, count: int, seed: int = 0, size: int | tuple[int, int] = 256, split: str = "test",
              progress=None) -> Path:
    """Write `count` scenes of a split under `out` and return it; pictures that are there already are not drawn again.

    size: side in pixels, or (width, height). progress: a callable that wraps the iteration (as tqdm does).
    Raises SettingsError for a bad count, size or split, OutputError where the folder holds another set. Taught in notebook 01.
    """
    if count < 1 or seed < 0:
        raise SettingsError("Ask for at least 1 scene and a seed of 0 or more, as in --count 100 --seed 0.")
    if split not in SPLITS:
        raise SettingsError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    out = Path(out)
    recipe = {"seed": seed, "size": list(size) if isinstance(size, tuple) else [size, size], "split": split}
    recipe_path = out / "recipe.json"
    try:
        known = json.loads(recipe_path.read_text(encoding="utf-8")) if recipe_path.exists() else recipe
    except ValueError as error:
        raise OutputError(f"{recipe_path} is damaged: choose an empty folder.") from error
    if known != recipe:
        raise OutputError(f"{out} already holds another set of scenes: choose an empty folder.")
    scenes = [make_scene(index, split, seed, size) for index in range(count)]  # before anything is written, as they may be refused
    make_folder(out / "images")
    write_text(recipe_path, json.dumps(recipe))
    for scene in progress(scenes) if progress else scenes:
        path = out / "images" / f"{scene.index + 1:012d}.png"
        if not path.exists():
            save_png(render(scene), path)
    instances, sentences = as_coco(scenes)
    write_text(out / "instances.json", json.dumps(instances))
    write_text(out / "captions.json", json.dumps(sentences))
    return out
