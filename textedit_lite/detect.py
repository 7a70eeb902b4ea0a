"""Stage 1: DETR finds the objects; an image becomes boxes, scores and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from PIL import Image

from .boxes import clip_boxes, cxcywh_to_xyxy, iou, scale_boxes
from .errors import SettingsError

LOWEST, HIGHEST = 0.3, 0.7  # the dynamic threshold moves between these
DUPLICATE = 0.7  # boxes of one label that overlap by a larger IoU are one object
AT_ONCE = 16  # images per call of the model


@dataclass(frozen=True)
class Detections:
    """What the detector found, best first.

    boxes: float32 [N, 4], xyxy, pixels of the image; scores: float32 [N], 0..1; labels: N names; threshold: what the
    scores had to reach.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]
    threshold: float

    def __len__(self) -> int:
        return len(self.labels)


def dynamic_threshold(scores: np.ndarray, low: float = LOWEST, high: float = HIGHEST) -> float:
    """The threshold in the widest gap of an image's scores, between `low` and `high` (paper, stage 1).

    With s_1 <= s_2 <= ... the scores inside of (low, high), s_0 = low and s_(n+1) = high,

        tau = (s_i + s_(i+1)) / 2,   i = argmax_i s_(i+1) - s_i.

    So it falls where a few half-sure boxes stand apart from many poor ones, and rises where nothing but noise lies
    between; without any score there it is (low + high) / 2. scores: each query's best, [N], 0..1.
    Taught in notebook 01.
    """
    scores = np.asarray(scores, np.float64)
    between = np.sort(np.concatenate([[low, high], scores[(scores > low) & (scores < high)]]))
    gap = int(np.diff(between).argmax())
    return float(between[gap : gap + 2].mean())


def class_probabilities(logits: np.ndarray) -> np.ndarray:
    """The probability of each class for each query: float32 [Q, C], from logits [Q, C + 1], the last of which is "no object".

    p_q = softmax(logits_q) over all C + 1, and then without the last; so a query that sees nothing has only small ones.
    Taught in notebook 01.
    """
    logits = np.asarray(logits, np.float32)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True))[..., :-1]


def keep_best(boxes: np.ndarray, probabilities: np.ndarray, threshold: float) -> list[int]:
    """The queries that are objects, best first, one per label and place.

    A query's label is its likeliest class, its score that class's probability. It is kept if the score reaches the
    threshold, its box is at least a pixel wide and high, and no better query that is kept has the same label and overlaps
    it by an IoU above 0.7. boxes: [Q, 4], xyxy, pixels; probabilities: [Q, C]. Taught in notebook 01.
    """
    labels, scores = probabilities.argmax(-1), probabilities.max(-1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        if scores[i] < threshold or sides[i].min() < 1:
            continue
        if all(labels[i] != labels[j] or overlaps[i, j] <= DUPLICATE for j in kept):
            kept.append(i)
    return kept


def detect(image: Image.Image, model, processor, threshold: float | None = None) -> Detections:
    """Find the objects in one image with DETR (Carion et al., 2020; paper, stage 1).

    image: RGB of any size; the processor brings it to the detector's own (short side 800, for the lite one 192), and the
    boxes come back in the image's pixels. threshold: fixed, 0..1, or None for `dynamic_threshold`. If boxes with the same
    label overlap by an IoU above 0.7, only the surest is kept.

    Raises SettingsError for a threshold out of range. Taught in notebook 01.
    """
    return detect_batch([image], model, processor, threshold)[0]


def detect_batch(
    images: Sequence[Image.Image], model, processor, threshold: float | None = None, seen: Sequence[Image.Image] | None = None
) -> list[Detections]:  # fmt: skip
    """`detect` for several images; those that the processor brings to one size share a call of the model, so none is padded.

    seen: the images as `reduced` makes them, if that is done already. Taught in notebook 01.
    """
    import torch

    check_threshold(threshold)
    seen = [reduced(image, processor) for image in images] if seen is None else seen
    pixels = [processor(images=image, return_tensors="pt")["pixel_values"] for image in seen]
    found: list[Detections | None] = [None] * len(images)
    for shape in dict.fromkeys(part.shape for part in pixels):
        alike = [i for i, part in enumerate(pixels) if part.shape == shape]
        for group in (alike[at : at + AT_ONCE] for at in range(0, len(alike), AT_ONCE)):
            with torch.inference_mode():
                output = model(torch.cat([pixels[i] for i in group]).to(model.device))
            for row, i in enumerate(group):
                boxes, probabilities = _plain(output, row, images[i].size)
                found[i] = _select(boxes, probabilities, model.config.id2label, threshold)[0]
    return found


def check_threshold(threshold: float | None) -> None:
    """Raises SettingsError for a threshold that no score could be compared with."""
    if threshold is not None and not (isinstance(threshold, Real) and 0 <= threshold <= 1):
        raise SettingsError(f"The detection threshold cannot be {threshold}: give a number from 0 to 1.")


def attention_maps(
    image: Image.Image, model, processor, threshold: float | None = None
) -> tuple[Detections, np.ndarray]:
    """The detections of an image, and where the query of each looked in the last decoder layer: float32 [N, h, w].

    The cross-attention is averaged over the heads; h, w is the backbone's grid, and each map sums to 1.
    Taught in notebook 01.
    """
    import torch

    check_threshold(threshold)
    pixels = processor(images=reduced(image, processor), return_tensors="pt")["pixel_values"].to(model.device)
    with torch.inference_mode():
        output = model(pixels, output_attentions=True)
    boxes, probabilities = _plain(output, 0, image.size)
    found, queries = _select(boxes, probabilities, model.config.id2label, threshold)
    weights = output.cross_attentions[-1][0].float().mean(0).cpu().numpy()  # [queries, h * w]
    height, width = pixels.shape[-2:]
    grids = ((math.ceil(height / stride), math.ceil(width / stride)) for stride in (4, 8, 16, 32, 64))
    grid = next(grid for grid in grids if math.prod(grid) == weights.shape[1])
    return found, weights[queries].reshape(-1, *grid)


def reduced(image: Image.Image, processor) -> Image.Image:
    """An image as the detector sees it; if it is far larger, its sides are divided by a whole number, so that the resize costs little."""
    factor = min(image.size) // (2 * processor.size["shortest_edge"])
    return image.reduce(factor) if factor >= 2 else image


def _plain(output, row: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """One image's boxes [queries, 4] in its pixels, and probabilities [queries, classes] without "no object"."""
    boxes = scale_boxes(cxcywh_to_xyxy(output.pred_boxes[row].float().cpu().numpy()), (1, 1), size)
    return clip_boxes(boxes, size), class_probabilities(output.logits[row].float().cpu().numpy())


def _select(boxes, probabilities, names, threshold) -> tuple[Detections, list[int]]:
    """The boxes whose score reaches the threshold, best first, one per label and place; and their queries."""
    labels, scores = probabilities.argmax(-1), probabilities.max(-1)
    tau = dynamic_threshold(scores) if threshold is None else float(threshold)
    kept = keep_best(boxes, probabilities, tau)
    found = Detections(
        boxes[kept].reshape(-1, 4), scores[kept].astype(np.float32), tuple(names[int(labels[i])] for i in kept), tau
    )
    return found, kept
