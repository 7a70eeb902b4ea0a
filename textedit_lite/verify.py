"""Looks at what was painted: does DETR still find such an object there, and does CLIP see the change?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .boxes import iou, square_crop
from .detect import Detections
from .inpaint import Painting
from .match import contrast, fuse, image_features, read_categories, read_object
from .models import Models
from .wish import Wish

THERE = 0.3  # IoU with the edited place above which a detection may be the object that was edited
DOUBTED = 0.1  # CLIP may misread what an edit leaves as it was, but must give it this share of the likeliest value's probability


@dataclass(frozen=True)
class Verdict:
    """What DETR and CLIP say about one painting: `shown` is the probability of the description, `rank` orders paintings."""

    painting: Painting
    mask: Image.Image  # the part of the picture that the painting replaces
    verified: bool
    shown: float
    rank: float


def find_again(seen: Detections, box: Sequence[float], mask: Image.Image, category: str, models: Models) -> int | None:
    """Which detection in a painted picture is the object that was edited; None if none is.

    box: where the object was; mask: where it was repainted. Taught in notebook 05.
    """
    # Both places: a mask of the user's own may be far larger or smaller than the object.
    overlaps = iou(seen.boxes, np.array([mask.getbbox(), box], np.float32)).max(1)
    good = [i for i, label in enumerate(seen.labels) if overlaps[i] > THERE and (label == category or category not in models.categories)]
    return max(good, key=lambda i: overlaps[i], default=None)


def verify(painting: Painting, mask: Image.Image, seen: Detections, there: int | None, wish: Wish, models: Models) -> Verdict:
    """Whether the wish is fulfilled: DETR still finds such an object `there` (`find_again`), and CLIP reads what was wanted.

    What was to change must be what CLIP finds likeliest. The rest, which the painter was not asked to touch, only has
    to reach a share of DOUBTED, as CLIP misreads it more often than the painter spoils it. Where this CLIP cannot read what changes
    (another pose in a photograph, words of the user's own), the description must beat the caption of what was there before.
    Taught in notebook 05.
    """
    if painting.refused:
        return Verdict(painting, mask, False, 0.0, -1.0)
    box = np.array(mask.getbbox() if there is None else seen.boxes[there], np.float32)
    crop = [square_crop(painting.image, box)]
    # What was there before must be one of the answers.
    asked = [*wish.wanted.items(), *((name, wish.now.values[name]) for name in wish.changes if name in wish.now.values)]
    reading = read_object(painting.image, box, wish.category, models, asked)
    nouns = list(dict.fromkeys([wish.category, *models.categories]))
    categories = dict(zip(nouns, read_categories(crop, nouns, models)[0].tolist()))
    tables = reading.probabilities | {"category": categories}
    read = {name: value for name, value in wish.wanted.items() if name in models.reads}
    shown = reading.probability(read) * categories[wish.category]
    told = read | ({} if _stays(wish, models) else {"category": wish.category})
    right = there is not None and all(
        tables[name][value] >= (1.0 if name in wish.changes else DOUBTED) * max(tables[name].values()) for name, value in told.items()
    )
    if wish.contrary:
        beaten = float(contrast(image_features(crop, models), (wish.description, wish.contrary), models)[0, 0])
        shown, right = shown * beaten, right and beaten > 0.5
    confidence = 0.05 if there is None else float(seen.scores[there])
    return Verdict(painting, mask, right, shown, fuse(shown, confidence) + right)


def _stays(wish: Wish, models: Models) -> bool:
    """Whether DETR's word is enough that the category is still there.

    In a photograph, the crop of a person may also show a surfboard or a horse, and that is what CLIP names first. In the small
    world a crop shows one thing, and both are asked.
    """
    return models.known_words is None and "category" not in wish.changes and wish.category in models.categories
