"""Stage 3's better masks: the shape of the object in a box, by SAM, Mask2Former or DETR, and the mask that an edit makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
from PIL import Image, ImageChops

from .boxes import context_window, crop, iou, shrinkage
from .errors import SettingsError

KINDS = ("box", "sam", "mask2former", "detr")
DILATE = 0.04  # how far a mask reaches beyond the object's shape, in longest sides of the shape: its blurred edge, and the feather
SAME = 0.5  # IoU of boxes from which a found shape is taken for the one that is asked for
REACH = 0.1  # how far beyond a box its object may show, in longest sides of the box, as no detector's box is exact
MOST = 0.5  # share of a shape that must lie there
LEAST = 0.1  # a shape that fills a smaller share of its box counts as none


# --- shapes ------------------------------------------------------------------------------------------------------


def shapes(image: Image.Image, boxes: np.ndarray, kind: str, models) -> np.ndarray:
    """The visible shape of the object in each box: bool [N, H, W]; empty where the model sees none.

    boxes: float32 [N, 4], xyxy, pixels of the image (RGB). kind: "sam" (Kirillov et al., 2023) is asked box by box;
    "mask2former" (Cheng et al., 2022) and "detr" (with the panoptic head of Carion et al., 2020) find all shapes by
    themselves, and each box takes the one that fits it. The model is loaded when it is first asked for.

    Raises SettingsError for an unknown kind, WeightsError if these weights have no such model.
    Taught in notebook 07.
    """
    check_kind(kind)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    if kind == "box":
        return np.stack([filled(box, image.size) for box in boxes]) if len(boxes) else _none(image)
    model, processor = models.segmenter(kind)
    found = (sam_shapes if kind == "sam" else query_shapes)(image, boxes, model, processor)
    for shape, box in zip(found, boxes):
        shape &= plausible(shape, box)  # in place, so that so many pictures are not held twice
    return found


def silhouette(image: Image.Image, box, models, reach: float = DILATE) -> Image.Image | None:
    """The part of a picture that may belong to the object in a box: L, 255 = the shape that SAM sees, dilated, and 0 elsewhere.

    None if SAM sees nothing there, or if these models have no SAM at hand: nothing is fetched for this. A large object is
    looked at in a reduced picture. image: RGB; box: xyxy, pixels; reach: of the dilation, in longest sides of the box.
    Taught in notebook 07.
    """
    if not models.has_segmenter("sam", at_hand=True):
        return None
    longest = max(box[2] - box[0], box[3] - box[1])
    times = shrinkage(longest)
    # SAM lite sees a third more than the box, so what lies more than a side away is not even copied.
    step = 2 * times  # even, so that half pixels are rounded as they would be in the whole picture
    x0, y0 = (int(max(low - longest, 0) // step) * step for low in box[:2])
    x1, y1 = (min(math.ceil(high + longest), extent) for high, extent in zip(box[2:], image.size))
    place = np.asarray(box, np.float32) - np.array([x0, y0, x0, y0], np.float32)
    shape = shapes(image.reduce(times, (x0, y0, x1, y1)), place[None] / times, "sam", models)[0]
    if not shape.any():
        return None
    near = as_mask(dilate(shape, reach * longest / times))
    left, top, right, bottom = near.getbbox()  # and a pixel around it, in which it fades
    left, top = times * max(left - 1, 0), times * max(top - 1, 0)
    right, bottom = min(times * (right + 1), x1 - x0), min(times * (bottom + 1), y1 - y0)
    place = tuple(v / times for v in (left, top, right, bottom))
    result = Image.new("L", image.size)
    result.paste(near.resize((right - left, bottom - top), Image.Resampling.BILINEAR, place), (x0 + left, y0 + top))
    return result


def neighbours(image: Image.Image, box, boxes: np.ndarray, models) -> Image.Image | None:
    """The part of a picture that belongs to objects beside the one in a box: L, 255 = their shapes as SAM sees them, 0 elsewhere.

    image: RGB; box: xyxy, pixels; boxes: [N, 4]; SAM is asked for those that reach the box and are not much the same as it. None
    if it finds no neighbour, or no SAM is at hand. Taught in notebook 07.
    """
    x0, y0, x1, y1 = _around(box)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    meet = (boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
    near = boxes[meet & (iou(boxes, np.asarray(box, np.float32)[None])[:, 0] < SAME)]
    seen = [shape for shape in (silhouette(image, other, models, reach=0) for other in near) if shape is not None]
    return reduce(ImageChops.lighter, seen) if seen else None


def narrowed(mask: Image.Image, before: Image.Image | None, after: Image.Image | None) -> Image.Image:
    """The part of a mask that was needed, now that it is painted: where the object was, and where it is.

    Nobody knows a new view's outline before it is painted, so the mask is a box. Afterwards SAM sees the outline, and the rest
    of the box, ground and neighbours, need not stay as painted. before, after: the object's `silhouette` in the picture as it was
    and in the painting; None if SAM misses it, and then the mask stays as it is; mask: L, 255 = repainted.
    Taught in notebook 07.
    """
    if before is None or after is None:
        return mask
    place = mask.getbbox()
    seen = ImageChops.lighter(before.crop(place), after.crop(place)).point([0] * 128 + [255] * 128)
    needed = ImageChops.darker(seen, mask.crop(place))
    if not needed.getbbox():
        return mask
    result = Image.new("L", mask.size)
    result.paste(needed, place)
    return result


def sam_shapes(image: Image.Image, boxes: np.ndarray, model, processor) -> np.ndarray:
    """The shape that SAM sees in each box, all boxes in one call: bool [N, H, W].

    A model whose configuration has a `context` was trained on the window around a box, that many of the box's
    longest sides wide, and is shown one window per box; any other (the full-size one) is shown the whole picture once, with all boxes.
    The boxes are given in the pixels of what is shown. Taught in notebook 07.
    """
    import torch

    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    if not len(boxes):
        return _none(image)
    context = getattr(model.config, "context", None)
    if context:
        windows = [context_window(tuple(box), image.size, context) for box in boxes]
        views, prompts = [crop(image, window) for window in windows], boxes[:, None]
    else:
        windows, views, prompts = [(0, 0, *image.size)], [image], boxes[None]
    inputs = processor(images=views, return_tensors="pt")
    corners = np.array([window[:2] * 2 for window in windows], np.float32)[:, None]
    shown, given = (np.asarray(inputs[name], np.float32) for name in ("reshaped_input_sizes", "original_sizes"))
    scale = np.tile((shown / given)[:, ::-1], 2)[:, None]  # height, width -> x, y, x, y
    with torch.inference_mode():
        output = model(
            pixel_values=inputs["pixel_values"].to(model.device), multimask_output=False,
            input_boxes=torch.from_numpy(np.ascontiguousarray((prompts - corners) * scale, np.float32)).to(model.device),
        )  # fmt: skip
    masks = output.pred_masks.float().cpu()
    found = np.zeros((len(boxes), image.height, image.width), bool)
    for row in range(len(boxes)):  # one at a time: in float32, at the size of what was shown, they fill the memory
        view, place = (row, 0) if context else (0, row)
        sizes = (inputs[name][view : view + 1] for name in ("original_sizes", "reshaped_input_sizes"))
        ((mask,),) = processor.post_process_masks(masks[view : view + 1, place : place + 1], *sizes)
        _put(found[row], mask[0].numpy(), windows[view])
    return found


def query_shapes(image: Image.Image, boxes: np.ndarray, model, processor) -> np.ndarray:
    """For each box the shape that fits it, among those that the queries of a segmenter find: bool [N, H, W].

    model: Mask2FormerForUniversalSegmentation or DetrForSegmentation. Of each shape only what lies in the box and a little
    around it counts (REACH). A shape fits if that part is most of it, and the part's box overlaps the asked one by an IoU over 0.5.
    Of those that fit, the one with the highest IoU x (share of the shape that lies there) x score is taken; if none fits, the
    shape is empty.
    Taught in notebook 07.
    """
    import torch
    import torch.nn.functional as F

    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    if not len(boxes):
        return _none(image)
    inputs = processor(images=image, return_tensors="pt")
    pixels = inputs["pixel_values"].to(model.device)
    with torch.inference_mode():
        output = model(pixel_values=pixels, **({"pixel_mask": inputs["pixel_mask"].to(model.device)} if "pixel_mask" in inputs else {}))
    classes = getattr(output, "class_queries_logits", None)
    masks = output.masks_queries_logits if classes is not None else output.pred_masks
    scores = (output.logits if classes is None else classes)[0].float().softmax(-1)[:, :-1].max(-1).values.cpu().numpy()
    # The padding is cut off before the picture's own size is restored, which is done only for the shapes that are taken.
    inside = inputs["pixel_mask"][0] if "pixel_mask" in inputs else torch.ones(pixels.shape[2:])
    height, width = int(inside[:, 0].sum()), int(inside[0].sum())
    masks = F.interpolate(masks.float(), pixels.shape[2:], mode="bilinear", align_corners=False)[..., :height, :width]
    seen = masks[0].cpu().numpy() > 0
    sizes = seen.sum((1, 2))
    best = [_fitting(seen, sizes, scores, box) for box in boxes * np.tile([width / image.width, height / image.height], 2)]
    found = np.zeros((len(boxes), image.height, image.width), bool)
    for shape, query, box in zip(found, best, boxes):
        if query is not None:
            large = F.interpolate(masks[:, [query]], image.size[::-1], mode="bilinear", align_corners=False)[0, 0] > 0
            shape |= large.cpu().numpy() & filled(_around(box), image.size)
    return found


def _around(box) -> np.ndarray:
    """The box with REACH of its longest side around it: xyxy."""
    x0, y0, x1, y1 = (float(v) for v in box)
    return np.array([x0, y0, x1, y1]) + REACH * max(x1 - x0, y1 - y0) * np.array([-1, -1, 1, 1])


def _fitting(seen: np.ndarray, sizes: np.ndarray, scores: np.ndarray, box) -> int | None:
    """Which of the shapes, bool [Q, H, W] with their pixels and scores [Q], `query_shapes` takes for a box (xyxy); None where none fits."""
    x0, y0, x1, y1 = (max(0, round(v)) for v in _around(box))
    near = seen[:, y0:y1, x0:x1]
    places = np.array([extent(shape) for shape in near], np.float32) + np.array([x0, y0, x0, y0], np.float32)
    likeness = iou(np.asarray(box, np.float32)[None], places)[0]
    share = near.sum((1, 2)) / np.maximum(1, sizes)
    likeness = np.where((likeness >= SAME) & (share >= MOST), likeness * share * scores, 0)
    return int(likeness.argmax()) if likeness.max() > 0 else None


def plausible(shape: np.ndarray, box) -> bool:
    """Whether a shape can be the object in a box: it fills at least a tenth of it. Taught in notebook 07."""
    x0, y0, x1, y1 = (float(v) for v in box)
    return bool(shape.sum() >= LEAST * max(1.0, (x1 - x0) * (y1 - y0)))


def shape_iou(a: np.ndarray, b: np.ndarray) -> float:
    """|a and b| / |a or b| of two shapes [H, W], of which everything above 0 is inside; 0 where both are empty.

    Taught in notebook 07.
    """
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0


def as_mask(shape: np.ndarray) -> Image.Image:
    """A shape, bool [H, W], as a picture: L, 255 inside."""
    return Image.fromarray(shape.astype(np.uint8) * np.uint8(255))


def extent(shape: np.ndarray) -> tuple[float, float, float, float]:
    """The box of a shape, bool [H, W]: xyxy; zeros for an empty one."""
    return tuple(map(float, Image.fromarray(shape).getbbox() or (0, 0, 0, 0)))


def filled(box, size: tuple[int, int]) -> np.ndarray:
    """A box as a shape, for a picture of `size` (width, height): bool [H, W], in whole pixels.

    Taught in notebook 07.
    """
    x0, y0, x1, y1 = (max(0, round(float(v))) for v in box)
    shape = np.zeros((size[1], size[0]), bool)
    shape[y0:y1, x0:x1] = True
    return shape


def check_kind(kind: str) -> None:
    """Raises SettingsError for a name that is no kind of mask."""
    if kind not in KINDS:
        raise SettingsError(f"There is no mask of the kind {kind!r}: choose {', '.join(KINDS[:-1])} or {KINDS[-1]}, or give a picture.")


def _none(image: Image.Image) -> np.ndarray:
    return np.zeros((0, image.height, image.width), bool)


def _put(shape: np.ndarray, seen: np.ndarray, window: tuple[int, int, int, int]) -> None:
    """Write what was seen in a window, bool, into the picture's shape; what lies beyond the picture is dropped."""
    x0, y0, x1, y1 = window
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, shape.shape[1]), min(y1, shape.shape[0])
    shape[top:bottom, left:right] = seen[top - y0 : bottom - y0, left - x0 : right - x0]


# --- masks -------------------------------------------------------------------------------------------------------


def dilate(shape: np.ndarray, radius: float) -> np.ndarray:
    """All pixels within `radius` pixels of the shape: bool [H, W].

    p is in the result if |p - q| <= radius for some q in the shape: dilation by a disc. Taught in notebook 07.
    """
    from scipy.ndimage import distance_transform_edt

    result = shape.copy()
    if shape.any():
        rows, columns, reach = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0)), math.ceil(radius)
        near = np.s_[max(rows[0] - reach, 0) : rows[-1] + reach + 1, max(columns[0] - reach, 0) : columns[-1] + reach + 1]
        result[near] = distance_transform_edt(~shape[near]) <= radius  # nothing further away can belong to it
    return result


def turned(shape: np.ndarray, degrees: float, box) -> np.ndarray:
    """The shape turned around the middle of its box, counter-clockwise as seen: bool [H, W]. Taught in notebook 07."""
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return np.asarray(as_mask(shape).rotate(degrees, Image.Resampling.BILINEAR, center=centre)) >= 128


def fit(
    mask: Image.Image, box, own: np.ndarray, others: Sequence[np.ndarray], degrees: float | None = 0.0
) -> tuple[Image.Image, str]:
    """The mask of an edit from the shapes, chosen by what becomes of the outline, and in words what it is.

    mask: the box's, as `build_mask` made it, if there is nothing better; box: the object's, xyxy; own: its shape, and
    `others` those of its neighbours: bool [H, W]; degrees: by how many it is turned.

    - 0, a new colour: the shape, dilated. The object keeps its outline, so nothing else need be touched.
    - Any other angle, a new pose: the shape and its turned self together, dilated, as the place that it leaves must be
      filled, and the place that it takes painted.
    - None, a new view or another thing: the box, as nobody knows the new outline.

    The neighbours' shapes are taken away from each. Without a shape of the object the box's mask stays as it was.
    Taught in notebook 07.
    """
    if not own.any():
        return mask, "box"
    if degrees is None:
        wanted, name = np.asarray(mask) >= 128, "box without its neighbours"
    else:
        x0, y0, x1, y1 = extent(own)
        reach = max(2.0, DILATE * max(x1 - x0, y1 - y0))
        wanted, name = dilate(own | turned(own, degrees, box) if degrees else own, reach), "shape and its turn" if degrees else "shape"
    for other in others:
        wanted = wanted & (~other | own)
    return as_mask(wanted), name


def within_reach(boxes: np.ndarray, index: int, mask: Image.Image, degrees: float | None) -> list[int]:
    """The boxes whose shapes `fit` may need: the object's, `index`, and those whose shapes its mask may meet.

    boxes: [N, 4], xyxy; mask, degrees: as `fit` is given them. A shape is taken to lie in its box's `context_window`: that is
    all that SAM lite sees, and holds all that `query_shapes` takes. Where a full-size SAM strays further, it errs.
    """
    x0, y0, x1, y1 = _repaintable(boxes[index], mask, degrees)
    windows = [context_window(tuple(box), mask.size) for box in boxes]
    meet = [left < x1 and right > x0 and top < y1 and bottom > y0 for left, top, right, bottom in windows]
    return [i for i, near in enumerate(meet) if near or i == index]


def _repaintable(box, mask: Image.Image, degrees: float | None) -> tuple[float, float, float, float]:
    """The place, xyxy, beyond which `fit` repaints nothing, whatever shape the object has in its window."""
    if degrees is None:
        return mask.getbbox()
    x0, y0, x1, y1 = context_window(tuple(box), mask.size)
    reach = max(2.0, DILATE * max(x1 - x0, y1 - y0)) + 1  # as `fit` dilates, and a pixel that turning may smear over
    if degrees:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        radius = math.hypot(max(x - x0, x1 - x), max(y - y0, y1 - y))
        x0, y0, x1, y1 = x - radius, y - radius, x + radius, y + radius
    return x0 - reach, y0 - reach, x1 + reach, y1 + reach


def covered(mask: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """The share of the neighbours' pixels, all together, that a mask would repaint: 0 to 1; 0 without neighbours.

    mask, others: bool [H, W]. Taught in notebook 07.
    """
    pixels = sum(int(other.sum()) for other in others)
    return sum(int((mask & other).sum()) for other in others) / pixels if pixels else 0.0
