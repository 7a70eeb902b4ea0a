"""Algorithm 1 of the paper: detect, match, mask, inpaint, until the edit is complete."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .blend import FEATHER, check_feather, lay_in, place_of
from .boxes import GROW, iou, square_crop
from .detect import Detections, check_threshold, detect_batch, reduced
from .errors import ImageError, OutputError, PromptError, SettingsError
from .images import open_image, read_metadata, save_png, write_text
from .inpaint import Job, Painting, check_settings, guidance_scale, inpaint_batch, step_schedule
from .mask import build_mask, check_grow, check_mask
from .match import (
    ATTRIBUTES,
    FUSION,
    MATCHES,
    Candidate,
    Match,
    Reading,
    check_match,
    check_select,
    contrast,
    fuse,
    image_features,
    match,
    read_categories,
    read_object,
)
from .models import Models, load_models
from .prompt import EditPrompt, check_words, parse
from .segment import KINDS, check_kind, fit, narrowed, shapes, silhouette
from .sketch import sketch
from .straighten import straighten
from .vocabulary import POSE_DEGREES, describe

COLD_STEPS = 1 / 3  # of the steps, where a painting starts from cold noise, which has less to be smoothed out,
FEW_STEPS = 4  # but no fewer than these; a painter that is made for so few takes them all
SEEDS = (1, 2, 4)  # paintings a round: the first try alone, then several at once
ROUNDS = len(SEEDS)
STRENGTHS = (0.1, 0.3, 0.5)  # how much of a sketch each round paints over; without a sketch it is 1, all of it
# What an edit can do without, to see what it is worth.
ABLATIONS = ("fusion", "crop", "refine", "guidance", "steps", "temperature", "straighten", "silhouette")
SURE = 0.5  # an attribute that CLIP reads with less is left out of the description
DOUBTED = 0.1  # what an edit leaves as it was may be read as something else, but with no less than this share of its probability
METADATA = "textedit-lite"  # the key of the settings in the PNG
PAINTED_AT_ONCE = 16
DETECTED_AT_ONCE = 8


@dataclass(frozen=True)
class Settings:
    """Everything that, with the picture, makes an edit again. None stands for the default of the models."""

    prompt: str
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    threshold: float | None = None
    select: str | int | None = None
    grow: float | None = None
    rounds: int = ROUNDS
    weights: str = "lite"
    image: str | None = None  # where the picture and the mask were read from, and their sha256
    image_sha256: str | None = None
    mask: str | None = None  # one of segment.KINDS, or a file; None with a sha256 stands for a mask in memory
    mask_sha256: str | None = None
    feather: float | None = None
    sketch: bool | None = None  # whether the painter starts from a sketch; None: if the models' world has sketches, no own mask
    ablate: str | None = None  # one of ABLATIONS
    match: str = MATCHES[0]  # what CLIP looks at, one of MATCHES


@dataclass
class EditResult:
    """What an edit came to. `image` is None unless something was painted (status "edited" or "unverified").

    status: "edited" (CLIP and DETR see the change), "unverified" (painted, but they do not), "not_found",
    "ambiguous". candidates: all that DETR found, with their scores; index: the chosen one; margin: between the best
    two; mask: L, 255 = repainted; timings_ms by stage; message: a sentence for the user.
    """

    status: str
    message: str
    image: Image.Image | None = None
    mask: Image.Image | None = None
    box: tuple[float, float, float, float] | None = None
    candidates: tuple[Candidate, ...] = ()
    index: int | None = None
    margin: float = 0.0
    verified: bool = False
    rounds: int = 0
    mask_kind: str = ""  # "given", "box", "shape", "shape and its turn", "box without its neighbours", "old and new shape"
    description: str = ""
    shown: float = 0.0  # probability, by CLIP, that the result shows the description
    settings: Settings | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    source: Image.Image | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without the pictures."""
        return {
            "status": self.status, "verified": self.verified, "message": self.message,
            "box": [round(v, 2) for v in self.box] if self.box else None, "index": self.index,
            "candidates": [candidate.to_dict() for candidate in self.candidates], "margin": round(self.margin, 4),
            "rounds": self.rounds, "mask_kind": self.mask_kind, "description": self.description, "settings": self.settings.__dict__,
            "timings_ms": {stage: round(ms, 1) for stage, ms in self.timings_ms.items()},
        }  # fmt: skip

    def save(self, path: Path | str) -> dict[str, str]:
        """Write the picture (PNG, its settings inside), and beside it PATH.json and PATH.mask.png; returns their names.

        Raises OutputError where that cannot be written, SettingsError where there is no picture. Taught in notebook 05.
        """
        if self.image is None:
            raise SettingsError(f"There is no edited picture to save: {self.message}")
        path = Path(path)
        if path.suffix.lower() == ".json":
            raise OutputError(f'"{path}" is where the settings would go: give the picture a name that ends in .png.')
        beside, mask = path.with_suffix(".json"), path.with_suffix(".mask.png")
        save_png(self.image, path, {METADATA: json.dumps(self.settings.__dict__)})
        save_png(self.mask, mask)
        names = {"output": str(path), "mask": str(mask)}
        write_text(beside, json.dumps(self.to_dict() | names, indent=2) + "\n")
        return names


# What the algorithm asks of the heavy models; whoever drives it may answer many edits' questions in one batch.
@dataclass(frozen=True)
class Find:
    image: Image.Image
    threshold: float | None


@dataclass(frozen=True)
class Paint:
    jobs: tuple[Job, ...]
    steps: int
    guidance: float
    strength: float = 1.0
    refine: bool = True


def algorithm_1(
    image: Image.Image, prompt: EditPrompt, models: Models, settings: Settings, own_mask: Image.Image | None = None,
    found: Detections | None = None,
) -> Generator[Find | Paint, Any, EditResult]:  # fmt: skip
    """The paper's Algorithm 1, a generator: it yields what is to be detected or painted, and returns the result.

    found: the objects, if they are known already. Taught in notebook 05.
    """
    without = settings.ablate
    # Stage 1: find all objects.
    if found is None:
        found = yield Find(image, settings.threshold)
    # Stage 2: pick the one that the words mean.
    chosen = match(image, found, prompt, models, settings.select, 1.0 if without == "fusion" else FUSION, settings.match)
    if own_mask is not None:  # the user has shown the place, whatever else would fit the words
        chosen = _under(own_mask, chosen)
    result = EditResult(chosen.status, _why(chosen, prompt), candidates=chosen.candidates, index=chosen.index, margin=chosen.margin)
    if chosen.index is None and own_mask is None:
        return result
    box = chosen.candidates[chosen.index].box if chosen.index is not None else tuple(map(float, own_mask.getbbox()))
    # What is to be seen: what CLIP reads on the object now, and the change in it.
    noun = prompt.category or prompt.noun
    now = read_object(image, box, noun, models)
    wanted = wished(prompt, now, models.reads)
    target = prompt.changes.get("category", noun)
    description = prompt.changes.get("text") or describe(target, **wanted)
    # In words of the user's own, the wish must beat what was there before.
    contrary = (description, describe(noun, **now.values)) if "text" in prompt.changes else None
    # Stage 3: the mask.
    mask = own_mask or build_mask(image.size, box, grow=GROW if settings.grow is None else settings.grow, **turns(wanted, now))
    kind = "box" if own_mask is None else "given"
    if own_mask is None and settings.mask not in (None, "box"):  # by the shapes of the object and of its neighbours
        found_shapes = shapes(image, found.boxes, settings.mask, models)
        others = [shape for i, shape in enumerate(found_shapes) if i != chosen.index]
        mask, kind = fit(mask, box, found_shapes[chosen.index], others, outline(prompt, wanted, now, models.reads))
    # Stage 4: paint, from a sketch where the change can be sketched, until the edit is complete.
    sketched = own_mask is None and models.sketches if settings.sketch is None else settings.sketch
    can_be_sketched = sketched and not {"category", "text"} & prompt.changes.keys() and not turns(wanted, now)["view"]
    # The object's shape serves the sketch; where there is none, it says afterwards what of the painting need not stay.
    narrows = own_mask is None and models.sketches
    shape = silhouette(image, box, models) if (can_be_sketched or narrows) and without != "silhouette" else None
    start = sketch(image, mask, box, now.values, wanted, shape) if can_be_sketched else None
    feather = FEATHER if settings.feather is None else settings.feather
    plain = Job(image, mask, description, settings.seed, start, feather, without == "crop")
    # What leans is painted upright, if it is to be seen from another side.
    lean = leaning(wanted, now, models) if own_mask is None and without not in ("straighten", "crop") else 0.0
    straight = straighten(image, box, lean, GROW if settings.grow is None else settings.grow) if lean else None
    if straight:
        mask = straight.within(mask)
        upright = describe(target, **wanted | {"pose": "upright"})
        plain = replace(plain, image=straight.image, mask=straight.mask, description=upright, feather=0.0)
    temperature = models.temperature if not start and without != "temperature" else 1.0
    best, seed = None, settings.seed
    for r in range(settings.rounds):  # several to choose from, finer, stronger and more various each round
        warmer = min(1.0, (r + 1) * temperature)
        jobs = tuple(replace(plain, seed=seed + k, temperature=warmer) for k in range(SEEDS[min(r, len(SEEDS) - 1)]))
        seed += len(jobs)
        steps = step_schedule(0 if without == "steps" else r, settings.steps)
        if temperature < 1:
            steps = min(steps, max(FEW_STEPS, math.ceil(COLD_STEPS * steps)))
        # In halves, so that edits of much the same guidance can be painted in one batch.
        guidance = round(2 * guidance_scale(settings.guidance, now.probability(wanted), r)) / 2
        guidance = settings.guidance if without == "guidance" else guidance
        strength = STRENGTHS[min(r, len(STRENGTHS) - 1)] if start else 1.0
        if models.steps <= FEW_STEPS:  # made for few from noise, it takes one of more where the sketch leaves little to paint
            steps = max(steps, math.ceil(1 / strength))
        strength = max(strength, min(1.0, 1.001 / steps))  # however few the steps, one of them must be taken
        paintings = yield Paint(jobs, steps, guidance, strength, without != "refine")
        for painting in paintings:
            if straight:
                turned = image if painting.refused else straight.back(image, painting.image, mask, feather)
                painting = replace(painting, image=turned)
            seen: Detections = yield Find(painting.image, None)
            there = _there(seen, box, mask, target, models)
            needed = mask
            if narrows and shape and not start and there is not None and not painting.refused:
                needed = narrowed(mask, shape, silhouette(painting.image, seen.boxes[there], models))
            if needed is not mask:
                painting = replace(painting, image=lay_in(image, painting.image.crop(place_of(needed)), needed, feather))
            judged = _judge(painting, needed, seen, there, target, wanted, prompt.changes, models, contrary)
            best = max(best or judged, judged, key=lambda verdict: verdict.rank)
        if best.verified:
            break
    status = "edited" if best.verified else "unverified"
    kind = kind if best.mask is mask else "old and new shape"
    return replace(
        result, status=status, message=_outcome(best, description), image=None if best.painting.refused else best.painting.image,
        mask=best.mask, mask_kind=kind, box=box, verified=best.verified, rounds=r + 1, description=description, shown=best.shown,
    )  # fmt: skip


@dataclass(frozen=True)
class _Verdict:
    """What DETR and CLIP say of one painting: `shown` is the probability of the description, `rank` orders paintings."""

    painting: Painting
    mask: Image.Image  # what of the picture the painting replaces
    verified: bool
    shown: float
    rank: float


def _there(seen: Detections, box, mask: Image.Image, category: str, models: Models) -> int | None:
    """Which of the detections in a painted picture is the object that was edited, if any is."""
    # Where the object was, too: a mask of the user's own may be far larger or smaller than the object.
    places = np.array([mask.getbbox(), box], np.float32)
    overlaps = iou(seen.boxes, places).max(1)
    good = [i for i, label in enumerate(seen.labels) if overlaps[i] > 0.3 and (label == category or category not in models.categories)]
    return max(good, key=lambda i: overlaps[i], default=None)


def _judge(painting, mask, seen: Detections, there: int | None, category, wanted, changes, models: Models, contrary=None) -> _Verdict:
    """Whether the change has happened: DETR still finds such an object `there`, and CLIP reads what was wanted.

    What was to change must be what CLIP finds likeliest; of the rest, which the painter was not asked to touch and CLIP misreads
    more often than the painter spoils it, no more is asked than a share of DOUBTED.
    """
    if painting.refused:
        return _Verdict(painting, mask, False, 0.0, -1.0)
    box = np.array(mask.getbbox() if there is None else seen.boxes[there], np.float32)
    crop = [square_crop(painting.image, box)]
    reading = read_object(painting.image, box, category, models)
    nouns = list(dict.fromkeys([category, *models.categories]))
    categories = dict(zip(nouns, read_categories(crop, nouns, models)[0].tolist()))
    shown = reading.probability(wanted) * categories[category]
    tables = reading.probabilities | {"category": categories}
    right = all(
        tables[name][value] >= (1.0 if name in changes else DOUBTED) * max(tables[name].values())
        for name, value in (wanted | {"category": category}).items()
    )
    if contrary:
        shown *= float(contrast(image_features(crop, models), contrary, models)[0, 0])
        right = right and shown > 0.5
    confidence = 0.05 if there is None else float(seen.scores[there])
    right = right and there is not None
    return _Verdict(painting, mask, right, shown, fuse(shown, confidence) + right)


def _under(mask: Image.Image, chosen: Match) -> Match:
    """The candidate that lies under a user's mask, if one does: the mask decides, not the words."""
    overlaps = [float(iou(candidate.box, mask.getbbox())[0, 0]) for candidate in chosen.candidates]
    best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
    return replace(chosen, index=best if best is not None and overlaps[best] > 0.1 else None, status="found")


def wished(prompt: EditPrompt, now: Reading, reads: Sequence[str] = tuple(ATTRIBUTES)) -> dict[str, str]:
    """Colour, view and pose after the edit: as the prompt says, else as it names them, else as CLIP is sure of them.

    reads: the attributes that this CLIP was taught to read (`Models.reads`). Taught in notebook 05.
    """
    sure = {name: value for name, value in now.values.items() if name in reads and now.probabilities[name][value] >= SURE}
    named = {name: value for name in ("colour", "view", "pose") if (value := getattr(prompt, name))}
    changes = {name: value for name, value in prompt.changes.items() if name in ("colour", "view", "pose")}
    return sure | named | changes


def turns(wanted: dict[str, str], now: Reading) -> dict[str, str | None]:
    """The pose and the view that the object changes to, None where it keeps its own. Taught in notebook 05."""
    return {name: wanted.get(name) if wanted.get(name) != now.values[name] else None for name in ("pose", "view")}


def leaning(wanted: dict[str, str], now: Reading, models: Models) -> float:
    """By how many degrees an object leans that is to be seen from another side; 0 for any other change, and for photographs.

    Taught in notebook 04.
    """
    return POSE_DEGREES.get(wanted.get("pose"), 0.0) if models.sketches and turns(wanted, now)["view"] else 0.0


def outline(prompt: EditPrompt, wanted: dict[str, str], now: Reading, reads: Sequence[str] = tuple(ATTRIBUTES)) -> float | None:
    """By how many degrees the object's outline turns, 0 where it stays as it is, None where nobody knows the new one.

    For `segment.fit`; reads: see `wished`. Taught in notebook 07.
    """
    turn = turns(wanted, now)
    if turn["view"] or {"category", "text"} & prompt.changes.keys() or (turn["pose"] and "pose" not in reads):
        return None
    return POSE_DEGREES[turn["pose"]] - POSE_DEGREES[now.values["pose"]] if turn["pose"] else 0.0


def _why(chosen, prompt: EditPrompt) -> str:
    if chosen.status == "ambiguous":
        fits = sum(candidate.fits for candidate in chosen.candidates)
        return (f'{fits} objects fit "{prompt.source}" about equally well: say which one, as in '
                f'"the left {prompt.source}", or choose with --select.')  # fmt: skip
    if chosen.status == "not_found":
        labels = sorted({candidate.label for candidate in chosen.candidates})
        if prompt.rank > 1 and (fits := sum(candidate.fits for candidate in chosen.candidates)):
            found = f'Only {fits} of "{prompt.source}" can be found in the picture'
            return f"{found}, no number {prompt.rank}: count again, or choose with --select."
        return f'There is no "{prompt.source}" in the picture: it shows {", ".join(labels) or "nothing that the detector knows"}.'
    return ""


def _outcome(best: _Verdict, description: str) -> str:
    if best.painting.refused:
        return "The safety checker blackened every painting: change the words or the seed."
    if best.verified:
        return f"The place now shows {description}."
    return f"The place was repainted, but DETR and CLIP do not both see {description} there: try another seed or more steps."


class Editor:
    """Edits pictures with one set of models; the detections of the last pictures are kept, as a slider asks again.

    Taught in notebook 05.
    """

    def __init__(self, models: Models | None = None):
        self.models = models or load_models("lite")
        self._found: OrderedDict[tuple, Detections] = OrderedDict()

    def edit(
        self, image, prompt: str, *, seed: int = 0, steps: int | None = None, guidance: float | None = None,
        threshold: float | None = None, select: str | int | None = None, mask=None, grow: float | None = None,
        rounds: int = ROUNDS, progress: Callable[[int, int], None] | None = None, feather: float | None = None,
        sketch: bool | None = None, ablate: str | None = None, match: str | None = None,
    ) -> EditResult:
        """Edit one picture as a prompt says, e.g. "the left car changes to a red car".

        image, mask: PIL, path, or array; the mask (L, same size, 255 = repaint) stands in for stage 3, or names how it is
        made there: "box" (the default), "sam", "mask2former", "detr" (`segment.shapes`, `segment.fit`). steps (from cold
        noise a third of them), guidance, threshold: of the stages, None for the defaults. select: "best", "left", ..., or a
        candidate's index. match: what CLIP looks at, "crop" or "patches" (`match.candidate_features`).
        rounds: how often at most it paints. progress(step, steps) is called while it paints. grow, feather: of the mask,
        in longest and in short sides of its box. sketch: whether the painter starts from a sketch, by default not under
        a mask of your own. ablate: one of ABLATIONS, to do without: CLIP alone chooses ("fusion"), the painter sees the
        whole picture ("crop"), the boundary is not refined ("refine"), guidance or steps stay as they are, what starts from
        noise starts from all of it ("temperature"), what leans is painted as it leans ("straighten"), nobody asks SAM for
        the object's shape, neither for the sketch nor to narrow a new view ("silhouette").

        Raises PromptError, UnknownWordError, ImageError, MaskError, SettingsError, each with one sentence. What is not
        there, or not clear, is no error but a status of the result. Taught in notebook 05.
        """
        kind, mask = (mask, None) if _is_kind(mask) else (None, mask)
        settings = self.settings(prompt, seed, steps, guidance, threshold, select, grow, rounds, feather, sketch, ablate, kind, match)
        settings = replace(settings, **_origin("image", image), **_origin("mask", mask))
        if select == "all":
            return self._edit_all(image, settings, mask, progress)
        return self._drive([self._start(image, settings, mask)], progress)[0]

    def _edit_all(self, image, settings: Settings, mask, progress) -> EditResult:
        """Edit every object that fits the words, one after the other; the mask is that of all of them together."""
        if mask is not None:
            raise SettingsError("A mask of your own and --select all exclude each other: leave one of them out.")
        source = open_image(image)
        prompt = self.parse(settings.prompt)
        found = self.detections(source, settings.threshold)
        chosen = match(source, found, prompt, self.models, "best", by=settings.match)
        fitting = [i for i, candidate in enumerate(chosen.candidates) if candidate.fits]
        if not fitting:
            return EditResult("not_found", _why(chosen, prompt), candidates=chosen.candidates, settings=settings, source=source)
        current, done = source, []
        for i in fitting:
            one = replace(settings, select=i)
            done.append(self._drive([(algorithm_1(current, prompt, self.models, one, found=found), one, current)], progress)[0])
            current = done[-1].image or current
        verified = all(result.verified for result in done)
        union = Image.fromarray(np.max([np.asarray(result.mask) for result in done], 0))
        stages = {stage for result in done for stage in result.timings_ms}
        painted = any(result.image is not None for result in done)
        return replace(
            done[-1], status="edited" if verified else "unverified", verified=verified, image=current if painted else None,
            mask=union, settings=settings,
            source=source, candidates=chosen.candidates, index=fitting[-1], rounds=max(result.rounds for result in done),
            message=f"{sum(result.verified for result in done)} of {len(done)} objects now show what was asked.",
            timings_ms={stage: sum(result.timings_ms.get(stage, 0.0) for result in done) for stage in stages},
        )  # fmt: skip

    def edit_batch(
        self, images: Sequence, prompts: Sequence[str], seeds: Sequence[int] | None = None, masks=None,
        found: Sequence[Detections | None] | None = None, **options
    ) -> list[EditResult]:
        """`edit` for several pictures, whose detections and paintings share the models' calls.

        masks: one a picture, or None; found: the objects of each picture where they are known, as from a set's annotations,
        in place of stage 1. Taught in notebook 06.
        """
        seeds = seeds if seeds is not None else [0] * len(prompts)
        kind = options.pop("mask", None)  # one way to make them all, unless `masks` says more
        if kind is not None:
            check_kind(kind)
        masks, found = ([None] * len(prompts) if given is None else given for given in (masks, found))
        if options.get("select") == "all":
            raise SettingsError("A batch edits one object a picture: leave select='all' to `edit`.")
        running = []
        for image, prompt, seed, mask, known in zip(images, prompts, seeds, masks, found, strict=True):
            own, mask = (mask, None) if _is_kind(mask) else (kind, mask)
            running.append(self._start(image, self.settings(prompt, seed, mask=own, **options), mask, known))
        return self._drive(running)

    def settings(
        self, prompt, seed=0, steps=None, guidance=None, threshold=None, select=None, grow=None, rounds=ROUNDS, feather=None,
        sketch=None, ablate=None, mask=None, match=None,
    ) -> Settings:
        """Checked settings with the models' defaults filled in."""
        steps = self.models.steps if steps is None else steps
        guidance = self.models.guidance if guidance is None else guidance
        check_settings(steps, guidance)
        check_select(select)
        if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
            raise SettingsError(f"The seed cannot be {seed}: give a whole number from 0 to {2**32 - 1}.")
        if not (isinstance(rounds, Integral) and 1 <= rounds <= 10):
            raise SettingsError(f"The editor cannot try {rounds} rounds: give a whole number from 1 to 10.")
        check_threshold(threshold)
        if grow is not None:
            check_grow(grow)
        if feather is not None:
            check_feather(feather)
        if ablate is not None and ablate not in ABLATIONS:
            raise SettingsError(f"An edit cannot do without {ablate!r}: choose one of {', '.join(ABLATIONS)}.")
        if mask is not None:
            check_kind(mask)
        match = MATCHES[0] if match is None else match
        check_match(match)
        # Plain numbers, as they are written to JSON; numpy's are not.
        threshold, grow, feather = (None if value is None else float(value) for value in (threshold, grow, feather))
        select = int(select) if isinstance(select, Integral) else select
        plain = Settings(prompt, int(seed), int(steps), float(guidance), threshold, select, grow, int(rounds), self.models.name)
        sketch = None if sketch is None else bool(sketch)
        return replace(plain, feather=feather, sketch=sketch, ablate=ablate, mask=mask, match=match)

    def detections(self, image: Image.Image, threshold: float | None = None) -> Detections:
        """Stage 1 alone, from memory where the picture was seen before. Taught in notebook 01."""
        return self._find([Find(image, threshold)])[0]

    # --- driving the algorithm -----------------------------------------------------------------------------------

    def parse(self, text: str) -> EditPrompt:
        """A prompt as `prompt.parse` reads it; raises UnknownWordError and PromptError for what these models cannot paint."""
        prompt = parse(text)
        if self.models.known_words is not None:
            check_words(prompt, self.models.known_words)
            if "text" in prompt.changes:
                raise PromptError(f'These models cannot paint "{prompt.target}": ask for one colour, view or pose that they know.')
        return prompt

    def _start(self, image, settings: Settings, mask, found: Detections | None = None):
        prompt = self.parse(settings.prompt)
        image = open_image(image)
        if mask is not None and not isinstance(mask, Image.Image):
            mask = open_image(mask, under="black")
        own = None if mask is None else check_mask(mask, image.size)
        return algorithm_1(image, prompt, self.models, settings, own, found), settings, image

    def _drive(self, running, progress=None) -> list[EditResult]:
        """Run the algorithms side by side: whoever waits for the same model is served in the same batch."""
        results: list[EditResult | None] = [None] * len(running)
        timings: list[dict[str, float]] = [{} for _ in running]
        asked: dict[int, Find | Paint] = {}

        def advance(i: int, answer) -> None:
            start = time.perf_counter()
            generator, settings, image = running[i]
            try:
                asked[i] = generator.send(answer)
            except StopIteration as stop:
                asked.pop(i, None)
                results[i] = replace(stop.value, settings=settings, timings_ms=timings[i], source=image)
            stage = "match" if not timings[i].get("inpaint") else "verify"
            timings[i][stage] = timings[i].get(stage, 0.0) + 1000 * (time.perf_counter() - start)

        for i in range(len(running)):
            advance(i, None)
        while asked:
            looking = [i for i, request in asked.items() if isinstance(request, Find)]
            # Everyone who waits for the detector is served first: it is quick, and what is painted together grows.
            group = looking or self._alike([(i, request) for i, request in asked.items()])
            start = time.perf_counter()
            if looking:
                answers = self._find([asked[i] for i in group])
            else:
                answers = self._paint([asked[i] for i in group], progress)
            spent = 1000 * (time.perf_counter() - start) / len(group)
            for i, answer in zip(group, answers):
                stage = "inpaint" if not looking else ("verify" if timings[i].get("inpaint") else "detect")
                timings[i][stage] = timings[i].get(stage, 0.0) + spent
                advance(i, answer)
        return results

    @staticmethod
    def _alike(asked: list[tuple[int, Paint]]) -> list[int]:
        """Those that can be painted in one call: the same number of steps and, rounded, the same guidance."""
        first = asked[0][1]
        alike, jobs = [], 0
        for i, request in asked:
            alike_settings = replace(request, jobs=()) == replace(first, jobs=())
            if alike_settings and jobs < PAINTED_AT_ONCE:
                alike.append(i)
                jobs += len(request.jobs)
        return alike

    def _paint(self, requests: list[Paint], progress) -> list[list[Painting]]:
        jobs = [job for request in requests for job in request.jobs]
        first = requests[0]
        painted = []
        for at in range(0, len(jobs), self.models.at_once):  # as many as the memory holds
            painted += inpaint_batch(
                jobs[at : at + self.models.at_once], self.models.painter, first.steps, first.guidance, first.strength,
                progress=progress, refine=first.refine,
            )  # fmt: skip
        return [[painted.pop(0) for _ in request.jobs] for request in requests]

    def _key(self, request: Find) -> tuple:
        """What the detections of a picture hang on: what the detector sees of it, its size, and the threshold."""
        seen = reduced(request.image, self.models.detr_processor)
        return hashlib.sha256(seen.tobytes()).digest(), request.image.size, request.threshold

    def _find(self, requests: list[Find]) -> list[Detections]:
        keys = [self._key(request) for request in requests]
        new = {key: request for key, request in zip(keys, requests) if key not in self._found}
        for threshold in {request.threshold for request in new.values()}:
            todo = [key for key, request in new.items() if request.threshold == threshold]
            for at in range(0, len(todo), DETECTED_AT_ONCE):
                part = todo[at : at + DETECTED_AT_ONCE]
                found = detect_batch([new[key].image for key in part], self.models.detr, self.models.detr_processor, threshold)
                self._found.update(zip(part, found))
        answers = [self._found[key] for key in keys]
        while len(self._found) > 32:
            self._found.popitem(last=False)
        return answers


def _is_kind(mask) -> bool:
    """Whether a mask is given by the name of how it is made; a file of that name is reached as ./sam."""
    return isinstance(mask, str) and mask in KINDS


def _origin(name: str, given) -> dict[str, str]:
    """Where a picture was read from, so that the edit can be made again."""
    if isinstance(given, (str, Path)) and Path(given).is_file():
        path = Path(given).resolve()
        return {name: str(path), f"{name}_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if name == "mask" and given is not None:  # one in memory leaves a trace, so that nothing is replayed without it
        return {"mask_sha256": hashlib.sha256(open_image(given, under="black").tobytes()).hexdigest()}
    return {}


def replay(path: Path | str, models: Models | None = None, progress=None) -> EditResult:
    """Make an edited PNG again from the settings that it carries: the same pixels on the same machine.

    Raises ImageError where the PNG carries none, or its source picture has moved or changed. Taught in notebook 05.
    """
    text = read_metadata(path).get(METADATA)
    if not text:
        raise ImageError(f"{path} carries no settings of an edit: give a PNG that `textedit-lite edit` wrote.")
    try:
        settings = Settings(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ImageError(f"The settings in {path} cannot be read: give a PNG that this version wrote.") from error
    for name in ("image", "mask"):
        source, digest = getattr(settings, name), getattr(settings, f"{name}_sha256")
        if name == "mask" and digest is None and (source is None or _is_kind(source)):
            continue
        if source is None:
            raise ImageError(f"{path} was made with {name} in memory: only an edit whose {name} is a file can be replayed.")
        if not Path(source).is_file():
            raise ImageError(f"The {name} {source} of this edit is no longer there: put it back to replay the edit.")
        if hashlib.sha256(Path(source).read_bytes()).hexdigest() != digest:
            raise ImageError(f"The {name} {source} has changed since the edit: put the old one back to replay it.")
    models = models or load_models(settings.weights)
    return Editor(models).edit(
        settings.image, settings.prompt, seed=settings.seed, steps=settings.steps, guidance=settings.guidance,
        threshold=settings.threshold, select=settings.select, mask=settings.mask, grow=settings.grow,
        rounds=settings.rounds, progress=progress, feather=settings.feather, sketch=settings.sketch, ablate=settings.ablate,
        match=settings.match,
    )  # fmt: skip
