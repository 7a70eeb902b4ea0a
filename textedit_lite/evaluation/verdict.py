"""Grades one edit: by the oracle where the scene is known; by colour, detector and CLIP on a photograph."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..boxes import iou
from ..detect import Detections
from ..inpaint import BLACK
from ..vocabulary import COLOURS, describe
from ..world.oracle import Judgement, judge, palette_shares
from ..world.scenes import Scene, ideal_edit
from .cases import SHOWN

MATCHED = 0.5  # IoU from which a box is the object's
STILL_THERE = 0.3  # IoU from which the detector sees the object where it was: it may have been turned


# --- the right object, and nothing else --------------------------------------------------------------------------


def hits(box, boxes: np.ndarray, index: int) -> bool:
    """Whether the chosen box is object `index`'s: an IoU over 0.5 with its box, and a higher one with no other's."""
    overlaps = iou(box, boxes)[0] if box is not None else np.zeros(len(boxes))
    return bool(overlaps.argmax() == index and overlaps[index] > MATCHED)


def support(mask: Image.Image | None, size: tuple[int, int]) -> np.ndarray:
    """Where a mask allows any change: bool [height, width]; nowhere without a mask."""
    return np.asarray(mask) > 0 if mask is not None else np.zeros(size[::-1], bool)


def background_changed(before: Image.Image, after: Image.Image, mask: Image.Image | None) -> int:
    """Number of pixels outside of the mask's support that differ. Taught in notebook 05."""
    differs = (np.asarray(before) != np.asarray(after)).any(-1)
    return int((differs & ~support(mask, before.size)).sum())


def background_share(before: Image.Image, after: Image.Image, mask: Image.Image | None) -> float:
    """`background_changed` as a share of all pixels outside of the mask's support, 0 to 1; 0 where there are none."""
    return background_changed(before, after, mask) / max(int((~support(mask, before.size)).sum()), 1)


def gradient_energy(image: Image.Image, mask: np.ndarray) -> float:
    """Mean squared difference in luminance, 0 to 255, between neighbours that both lie in `mask` (bool [H, W])."""
    light = np.asarray(image.convert("L"), np.float64)
    across, down = mask[:, 1:] & mask[:, :-1], mask[1:] & mask[:-1]
    total = (np.diff(light, axis=1)[across] ** 2).sum() + (np.diff(light, axis=0)[down] ** 2).sum()
    return float(total / max(across.sum() + down.sum(), 1))


def is_black(image: Image.Image) -> bool:
    """Whether a picture is black, as a safety checker leaves it."""
    return max(high for _, high in image.getextrema()) < BLACK


# --- by the oracle -----------------------------------------------------------------------------------------------


def by_oracle(
    scene: Scene, index: int, change: dict[str, str], edited: Image.Image, where: np.ndarray, target: bool
) -> dict[str, Any]:
    """What the oracle sees of an edit of object `index` that was to make `change`; it looks at pixels alone.

    success: the change is there, the object still of its category. verdict: the oracle's own. Only where the right
    object was the target, and `where` (bool [H, W], what was repainted) is not empty: kept (colour under a turn or a new
    view; view and pose under a new colour), kept_if_seen (the same, only where an object is recognised), all_kept (all
    that the change does not name), sharpness (gradient energy there, edit over ideal edit).
    Taught in notebook 05.
    """
    verdict = judge(scene, index, change, edited)
    row: dict[str, Any] = {"success": verdict.success, "verdict": verdict}
    if target and where.any():  # in an object that was not touched, everything is kept anyway
        names = ("view", "pose") if "colour" in change else ("colour",)
        row["kept"] = all(verdict.kept[name] for name in names)
        if verdict.category:
            row["kept_if_seen"] = row["kept"]
        row["all_kept"] = verdict.category == scene.objects[index].category and all(verdict.kept.values())
        ideal = gradient_energy(ideal_edit(scene, index, change), where)
        row["sharpness"] = gradient_energy(edited, where) / max(ideal, 1e-6)
    return row


def as_words(verdict: Judgement) -> str:
    """What the oracle saw, e.g. "a red car facing the front upright", and how sure it is."""
    seen = describe(verdict.category, verdict.colour, verdict.view, verdict.pose) if verdict.category else "nothing"
    return f"{'success' if verdict.success else 'failure'}: {seen} ({verdict.likeness:.2f})"


# --- on a photograph ---------------------------------------------------------------------------------------------


def by_models(
    category: str, change: dict[str, str], edited: Image.Image, mask: np.ndarray, places: np.ndarray, seen: Detections,
    direction: float,
) -> dict[str, bool]:  # fmt: skip
    """What colour, detector and CLIP say of an edit, where nobody knows how it should look.

    mask: the object's annotated pixels, bool [H, W]; places: the boxes where it may be now, [N, 4]; seen: what DETR
    finds in the edited picture; direction: `clip_measures`'s. Success requires all of these: the picture is not black; DETR
    still finds the category there (IoU over 0.3); CLIP's features moved in the direction of the words (direction over 0);
    and a new colour is the one of the palette's eight that most of the object's pixels show, and at least 15 % of them.

    That is weaker than the oracle: for a turn or a new view it asks no more than the direction. And where the editor
    uses the same DETR and CLIP, its edit was chosen by these same judges. Taught in notebook 06.
    """
    there = any(
        label == category and iou(box, places)[0].max() > STILL_THERE for box, label in zip(seen.boxes, seen.labels, strict=True)
    )
    coloured = True
    if "colour" in change:
        pixels = np.asarray(edited, np.float32).transpose(2, 0, 1) / 255
        shares = palette_shares(pixels, mask.astype(float))[:-1]
        coloured = COLOURS[int(shares.argmax())] == change["colour"] and bool(shares.max() >= SHOWN)
    success = there and coloured and direction > 0 and not is_black(edited)
    return {"still_there": there, "coloured": coloured, "success_by_models": success}
