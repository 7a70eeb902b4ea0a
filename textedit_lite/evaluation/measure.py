"""Makes the row of one edit: what was asked, how it ended, every measure of it, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..boxes import square_crop
from ..detect import Detections, detect_batch
from ..editor import EditResult
from ..models import Models
from ..segment import shape_iou
from ..vocabulary import describe
from ..world.scenes import ideal_edit
from .cases import Case
from .editors import Request
from .metrics import clip_measures, edit_measures
from .sets import Folder, World, object_mask
from .verdict import as_words, background_share, by_models, by_oracle, hits, is_black, support


def request_of(data: Folder | World, case: Case) -> Request:
    """The request for a case, with its pixels; raises ImageError where the picture cannot be read."""
    picture = data.picture(case.image_id)
    thing = picture.objects[case.index]
    return Request(data.open(picture), case.prompt, case.seed, case.change, thing.box, object_mask(picture, thing))


def make_rows(
    data: Folder | World, cases: Sequence[Case], requests: Sequence[Request | None],
    results: Sequence[EditResult], models: Models, chooses: bool = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row per edit; DETR looks at all edited pictures in one batch. A picture that could not be read has no request.

    chooses: whether the editor chooses an object (`editors.CHOOSERS`).
    Taught in notebook 06.
    """
    painted = [result.image for result in results if result.image is not None]
    found = iter(detect_batch(painted, models.detr, models.detr_processor))
    seen = [next(found) if result.image is not None else None for result in results]
    return [_row(data, *four, models, chooses) for four in zip(cases, requests, results, seen, strict=True)]


def _row(
    data: Folder | World, case: Case, request: Request | None, result: EditResult, seen: Detections | None, models: Models,
    chooses: bool,
) -> dict[str, Any]:  # fmt: skip
    """What one edit came to.

    returned: a picture came back, which is what the paper counts as success. target: the right object was chosen (None
    for an editor that chooses none). verified: the editor's own verdict. success: the oracle's verdict where the scene is
    known, else that of `by_models`, which the row holds either way. Measures of pixels are None where no picture came back.
    """
    picture = data.picture(case.image_id)
    boxes = np.array([thing.box for thing in picture.objects], np.float32)
    back = result.image is not None
    target = hits(result.box, boxes, case.index) if chooses else None
    row: dict[str, Any] = {
        **case.to_dict(), "status": result.status, "message": result.message, "returned": back and not is_black(result.image),
        "target": target, "verified": bool(result.verified), "success": False,
    }  # fmt: skip
    scene = data.scene(picture)
    ideal = None
    if back:
        row |= _on_sight(case, request, result.image, seen, models, picture.objects[case.index].attributes)
        row["success"] = row["success_by_models"]
    if back and scene is not None:
        order = picture.objects[case.index].attributes["order"]
        where = support(result.mask if result.mask is not None else request.place, request.image.size)
        row |= by_oracle(scene, order, case.change, result.image, where, target is not False)
        row["oracle"] = as_words(row.pop("verdict"))
        ideal = ideal_edit(scene, order, case.change)
    if back:
        row |= edit_measures(request.image, result.image, request.place, ideal)
        row["changed_outside_own_mask"] = None if result.mask is None else background_share(request.image, result.image, result.mask)
        row["mask_iou"] = None if result.mask is None else mask_iou(result.mask, request.pixels)
    row |= {
        "box": [round(v, 2) for v in result.box] if result.box is not None else None, "candidates": len(result.candidates),
        "margin": result.margin, "rounds": result.rounds, "shown": result.shown,
        "seconds": {stage: ms / 1000 for stage, ms in result.timings_ms.items()},
    }  # fmt: skip
    return _rounded(row)


def _on_sight(
    case: Case, request: Request, edited: Image.Image, seen: Detections, models: Models, attributes: dict[str, Any]
) -> dict[str, Any]:
    """CLIP's measures in the object's crop, and the verdict that is possible without knowing the scene."""
    known = {name: attributes[name] for name in case.change if name in attributes}
    texts = describe(case.category, **known), describe(case.category, **case.change)
    crops = [square_crop(image, np.array(request.box, np.float32)) for image in (request.image, edited)]
    row = clip_measures(*crops, *texts, models)
    places = np.array([request.box, request.place.getbbox()], np.float32)
    return row | by_models(case.category, case.change, edited, request.pixels, places, seen, row["clip_direction"])


def mask_iou(mask: Image.Image, pixels: np.ndarray) -> float:
    """Intersection over union of a mask and an object's pixels (bool [H, W]). Taught in notebook 06."""
    return shape_iou(np.asarray(mask) >= 128, pixels)


def _rounded(value: Any) -> Any:
    """Rounds to six digits: no more of them mean anything, and no more are the same on two machines."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}")
    return value.item() if isinstance(value, np.generic) else value
