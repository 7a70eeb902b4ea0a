"""How an edit is painted: under which mask, from which start, and in how many steps each round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from .blend import FEATHER, lay_in, place_of
from .boxes import GROW
from .detect import Detections
from .inpaint import Job, Painting, guidance_scale, possible_steps, step_schedule
from .mask import build_mask
from .models import Models
from .segment import fit, narrowed, neighbours, shapes, silhouette, within_reach
from .settings import Settings
from .sketch import emptied, sketch
from .straighten import Straight, straighten
from .wish import Wish, leaning

COLD_STEPS = 1 / 3  # share of the steps that a painting from cold noise takes, as there is less to be smoothed out
FEW_STEPS = 4  # the least that this share comes to; a painter that is made for so few steps takes them all
SEEDS = (1, 2, 4)  # paintings a round: the first try alone, then several at once
STRENGTHS = (0.1, 0.3, 0.5)  # how much of a sketch each round paints over; without a sketch it is 1, all of it


@dataclass(frozen=True)
class Paint:
    """A request to the painter: paint all jobs in one batch."""

    jobs: tuple[Job, ...]
    steps: int
    guidance: float
    strength: float = 1.0
    refine: bool = True


def make_mask(
    image: Image.Image, found: Detections, index: int, wish: Wish, models: Models, kind: str | None = None, grow: float | None = None
) -> tuple[Image.Image, str]:  # fmt: skip
    """The mask for editing the detection `index` in a picture, and how it was made.

    kind: one of `segment.KINDS`; None is the box. grow: of the box, in its longest sides. Taught in notebook 05.
    """
    box = tuple(float(v) for v in found.boxes[index])
    mask = build_mask(image.size, box, grow=GROW if grow is None else grow, **wish.turned)
    if kind in (None, "box"):
        return mask, "box"
    near = within_reach(found.boxes, index, mask, wish.degrees)  # the object, and those neighbours that it may touch
    seen = dict(zip(near, shapes(image, found.boxes[near], kind, models)))
    return fit(mask, box, seen.pop(index), list(seen.values()), wish.degrees)


@dataclass(frozen=True)
class Plan:
    """How one edit is painted. `job` is what is painted, `mask` is where the picture may change, the rest says how it comes back.

    box: xyxy of the object. shape, others: its outline and its neighbours', as SAM saw them. With these the painting is
    narrowed to the object's old and new outline, and the background filled in where the object was.
    """

    image: Image.Image
    mask: Image.Image
    job: Job
    settings: Settings
    wish: Wish
    models: Models
    box: tuple[float, float, float, float]
    straight: Straight | None = None
    shape: Image.Image | None = None
    others: Image.Image | None = None

    @property
    def temperature(self) -> float:
        """The temperature of the first round's noise: the models' own if it paints from noise alone, 1 if it starts from a sketch."""
        cold = self.job.start is None and self.settings.ablate != "temperature"
        return self.models.temperature if cold else 1.0

    def round(self, r: int) -> Paint:
        """What round r = 0, 1, ... paints: each has more paintings to choose from, and finer, stronger and more varied ones."""
        without, temperature = self.settings.ablate, self.temperature
        count, first = SEEDS[min(r, len(SEEDS) - 1)], sum(SEEDS[min(k, len(SEEDS) - 1)] for k in range(r))
        warmer = min(1.0, (r + 1) * temperature)
        jobs = tuple(replace(self.job, seed=self.settings.seed + first + k, temperature=warmer) for k in range(count))
        steps = step_schedule(0 if without == "steps" else r, self.settings.steps)
        if temperature < 1:
            steps = min(steps, max(FEW_STEPS, math.ceil(COLD_STEPS * steps)))
        guidance = self.settings.guidance
        if without != "guidance":  # in halves, so that edits with much the same guidance can be painted in one batch
            guidance = round(2 * guidance_scale(guidance, self.wish.now.probability(self.wish.wanted), r)) / 2
        strength = STRENGTHS[min(r, len(STRENGTHS) - 1)] if self.job.start else 1.0
        if self.models.steps <= FEW_STEPS:  # where a sketch leaves little to paint, such a painter takes one step of a longer schedule
            steps = max(steps, math.ceil(1 / strength))
        steps = possible_steps(steps, self.models.painter)
        strength = max(strength, min(1.0, 1.001 / steps))  # however few the steps, one of them must be taken
        return Paint(jobs, steps, guidance, strength, without != "refine")

    def turned_back(self, painting: Painting) -> Painting:
        """A painting as it belongs in the picture: what was painted upright leans again."""
        if self.straight is None:
            return painting
        picture = self.image if painting.refused else self.straight.back(self.image, painting.image, self.mask, _feather(self.settings))
        return replace(painting, image=picture)

    def narrowed(self, painting: Painting, box: Sequence[float] | None) -> tuple[Painting, Image.Image]:
        """A painting, and the mask of what changes.

        Painted without a sketch, as a new view is, it keeps only the object's new shape, and background where the old one was.
        box: where DETR finds the new object, None if it does not.
        """
        if self.shape is None or self.job.start or box is None or painting.refused:
            return painting, self.mask
        shape = silhouette(painting.image, box, self.models)
        mask = narrowed(self.mask, self.shape, shape)
        if mask is self.mask:
            return painting, mask
        ground, new = emptied(self.image, mask, self.box, self.shape, self.others), narrowed(mask, shape, shape)
        return replace(painting, image=lay_in(ground, painting.image.crop(place_of(new)), new, _feather(self.settings))), mask


def _feather(settings: Settings) -> float:
    """How wide the mask's edge is, in short sides of its box."""
    return FEATHER if settings.feather is None else settings.feather


def make_plan(
    image: Image.Image, mask: Image.Image, box: Sequence[float], wish: Wish, settings: Settings, models: Models, own: bool = False,
    others: Sequence[Sequence[float]] = (),
) -> Plan:  # fmt: skip
    """The plan of an edit: from a sketch if one can show the change, upright if a leaning object gets another view.

    image: RGB; mask: L, 255 = repaint; box: xyxy of the object; own: whether the mask is the user's: under it nothing is
    straightened or narrowed, nor sketched unless asked for; others: [N, 4], boxes of what else was found. Taught in notebook 05.
    """
    without, helped = settings.ablate, not own and models.sketches
    sketches = wish.can_be_sketched and (helped if settings.sketch is None else settings.sketch)
    # The sketch uses the object's shape and its neighbours'. Without a sketch, the shape says afterwards what need not stay.
    shape = silhouette(image, box, models) if (sketches or helped) and without != "silhouette" else None
    # A new colour stays within the outline; any other change leaves an empty place, into which the neighbours must not run.
    beside = neighbours(image, box, others, models) if shape is not None and wish.changes.keys() != {"colour"} else None
    start = sketch(image, mask, box, wish.now.values, wish.wanted, shape, beside) if sketches else None
    job = Job(image, mask, wish.description, settings.seed, start, _feather(settings), whole=without == "crop")
    plan = Plan(image, mask, job, settings, wish, models, tuple(box), shape=shape if helped else None, others=beside)
    lean = leaning(wish.wanted, wish.now, models) if not own and without not in ("straighten", "crop") else 0.0
    if not lean:
        return plan
    straight = straighten(image, box, lean, GROW if settings.grow is None else settings.grow)
    job = replace(plan.job, image=straight.image, mask=straight.mask, description=wish.upright, feather=0.0)
    return replace(plan, mask=straight.within(mask), job=job, straight=straight)
