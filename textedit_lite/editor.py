"""Algorithm 1 of the paper: detect, match, mask, inpaint, until the edit is complete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .boxes import iou
from .checksums import sha256_of
from .detect import Detections, detect_batch, reduced
from .errors import ImageError, SettingsError
from .images import open_image, png_bytes, read_metadata, result_files, write_files
from .inpaint import Painting, inpaint_batch
from .mask import check_mask
from .match import FUSION, Candidate, Match, match
from .memory import in_portions, keep_freed
from .models import Models, check_device, load_models
from .plan import Paint, make_mask, make_plan
from .prompt import EditPrompt, check_words, parse
from .segment import KINDS
from .settings import ROUNDS, Settings, make_settings
from .verify import Verdict, find_again, verify
from .wish import make_wish

METADATA = "textedit-lite"  # the key of the settings in the PNG
PAINTED_AT_ONCE = 16
DETECTED_AT_ONCE = 8


@dataclass
class EditResult:
    """The result of an edit. `image` is None unless something was painted (status "edited" or "unverified").

    status: "edited" (CLIP and DETR see the change), "unverified" (painted, but they do not both see it), "not_found",
    "ambiguous". candidates: all that DETR found, with their scores; index: of the chosen one; margin: between the scores of
    the best two; mask: L, 255 = repainted; timings_ms: by stage, with the sketch under "mask"; message: a sentence for the user.
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
            "rounds": self.rounds, "mask_kind": self.mask_kind, "description": self.description,
            "settings": vars(self.settings) if self.settings else None,
            "timings_ms": {stage: round(ms, 1) for stage, ms in self.timings_ms.items()},
        }  # fmt: skip

    def save(self, path: Path | str) -> dict[str, str | None]:
        """Write, for the path red.png, red.png (its settings inside), red.json and, with a mask, red.mask.png; returns their names.

        Raises OutputError, before anything is written, if one of them cannot be written or is what the edit was made from, and
        SettingsError if there is no picture. Taught in notebook 05.
        """
        if self.image is None:
            raise SettingsError(f"There is no edited picture to save: {self.message}")
        made_from = [file for file in (self.settings.image, self.settings.mask) if file] if self.settings else []
        picture, beside, mask = result_files(path, made_from)
        names = {"output": str(picture), "mask": None if self.mask is None else str(mask)}
        files = {beside: json.dumps(self.to_dict() | names, indent=2) + "\n"}
        if self.mask is not None:
            files[mask] = png_bytes(self.mask)
        write_files(files | {picture: png_bytes(self.image, {METADATA: json.dumps(vars(self.settings))} if self.settings else None)})
        return names


# These and `plan.Paint` are what the algorithm yields; whoever drives it may answer the requests of many edits in one batch.
@dataclass(frozen=True)
class Find:
    """A request to the detector: find the objects in one picture."""

    image: Image.Image
    threshold: float | None


@dataclass(frozen=True)
class Stage:
    """Not a request, only a mark: the time from here on counts as this stage's."""

    name: str


def algorithm_1(
    image: Image.Image, prompt: EditPrompt, models: Models, settings: Settings, own_mask: Image.Image | None = None,
    found: Detections | None = None,
) -> Generator[Find | Paint | Stage, Any, EditResult]:  # fmt: skip
    """The paper's Algorithm 1, a generator: it yields what is to be detected or painted, and returns the result.

    found: the objects, if they are known already. Taught in notebook 05.
    """
    # Stage 1: find all objects.
    if found is None:
        found = yield Find(image, settings.threshold)
    # Stage 2: pick the one that the words mean.
    weight = 1.0 if settings.ablate == "fusion" else FUSION
    chosen = match(image, found, prompt, models, settings.select, weight, settings.match)
    if own_mask is not None:  # the user has shown the place, whatever else would fit the words
        chosen = _under(own_mask, chosen)
    result = EditResult(chosen.status, _why(chosen, prompt), candidates=chosen.candidates, index=chosen.index, margin=chosen.margin)
    if chosen.index is None and own_mask is None:
        return result
    box = chosen.candidates[chosen.index].box if chosen.index is not None else tuple(map(float, own_mask.getbbox()))
    wish = make_wish(image, box, prompt, models)
    # Stage 3: the mask.
    yield Stage("mask")
    if own_mask is not None:
        mask, kind = own_mask, "given"
    else:
        mask, kind = make_mask(image, found, chosen.index, wish, models, settings.mask, settings.grow)
    # Stage 4: paint, until the edit is complete.
    plan = make_plan(image, mask, box, wish, settings, models, own=own_mask is not None, others=found.boxes)
    best = None
    for r in range(settings.rounds):
        for painting in (yield plan.round(r)):
            painting = plan.turned_back(painting)
            seen: Detections = yield Find(painting.image, None)
            there = find_again(seen, box, plan.mask, wish.category, models)
            painting, needed = plan.narrowed(painting, None if there is None else seen.boxes[there])
            verdict = verify(painting, needed, seen, there, wish, models)
            best = max(best or verdict, verdict, key=lambda one: one.rank)
        if best.verified:
            break
    return replace(
        result, status="edited" if best.verified else "unverified", message=_outcome(best, wish.description),
        image=None if best.painting.refused else best.painting.image, mask=best.mask,
        mask_kind=kind if best.mask is plan.mask else "old and new shape", box=box, verified=best.verified, rounds=r + 1,
        description=wish.description, shown=best.shown,
    )  # fmt: skip


def _under(mask: Image.Image, chosen: Match) -> Match:
    """The match with the candidate that lies under the user's mask, if there is one: the mask decides, not the words."""
    overlaps = [float(iou(candidate.box, mask.getbbox())[0, 0]) for candidate in chosen.candidates]
    best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
    return replace(chosen, index=best if best is not None and overlaps[best] > 0.1 else None, status="found")


def _why(chosen: Match, prompt: EditPrompt) -> str:
    if chosen.status == "ambiguous":
        fits = sum(candidate.fits for candidate in chosen.candidates)
        if chosen.no_middle:
            return (f'None of the {fits} objects that fit "{prompt.source}" is in the middle, as their number is even: say which one, as '
                    f'in "the left {prompt.source}", or choose with --select.')  # fmt: skip
        return (f'{fits} objects fit "{prompt.source}" about equally well: say which one, as in '
                f'"the left {prompt.source}", or choose with --select.')  # fmt: skip
    if chosen.status == "not_found":
        labels = sorted({candidate.label for candidate in chosen.candidates})
        if prompt.rank > 1 and (fits := sum(candidate.fits for candidate in chosen.candidates)):
            found = f'Only {fits} of "{prompt.source}" can be found in the picture'
            return f"{found}, no number {prompt.rank}: count again, or choose with --select."
        shown = ", ".join(labels) or "nothing that the detector knows"
        if prompt.category is None:  # it may well be there
            return (f'The detector was taught no "{prompt.noun}", and what it finds ({shown}) is none: paint white, in a mask of your own '
                    "(--mask FILE), where it is.")  # fmt: skip
        return f'There is no "{prompt.source}" in the picture: it shows {shown}.'
    return ""


def _outcome(best: Verdict, description: str) -> str:
    if best.painting.refused:
        return best.painting.refused
    if best.verified:
        return f"The place now shows {description}."
    return f"The place was repainted, but DETR and CLIP do not both see {description} there: try another seed or more steps."


class Editor:
    """Edits pictures with one set of models; keeps what it detected in the last pictures, for a slider that asks again.

    Taught in notebook 05.
    """

    def __init__(self, models: Models | None = None):
        self.models = models or load_models("lite")
        self._found: OrderedDict[tuple, Detections] = OrderedDict()
        keep_freed()  # an edit makes several pictures as large as its own, one after the other

    def edit(
        self, image, prompt: str, *, seed: int = 0, steps: int | None = None, guidance: float | None = None,
        threshold: float | None = None, select: str | int | None = None, mask=None, grow: float | None = None,
        rounds: int = ROUNDS, progress: Callable[[int, int], None] | None = None, feather: float | None = None,
        sketch: bool | None = None, ablate: str | None = None, match: str | None = None,
    ) -> EditResult:
        """Edit one picture as a prompt says, e.g. "the left car changes to a red car".

        Args:
            image: PIL, path, or array. seed: of the noise. rounds: how many rounds it paints at most.
            steps, guidance, threshold: of the stages, None for the defaults; from cold noise a third of the steps is taken.
            select: "best", "left", ..., "all", or a candidate's index; None leaves it to the prompt.
            mask: your own (L, same size, 255 = repaint; PIL, path, or array), in place of stage 3, or the way in which stage 3
                makes it: "box" (the default), "sam", "mask2former", "detr" (`segment.shapes`, `segment.fit`).
            grow, feather: of the mask; grow in longest sides of its box, feather in short sides.
            match: what CLIP looks at, "crop" (the default) or "patches" (`match.candidate_features`).
            sketch: whether the painter starts from a sketch; by default it does not under a mask of your own.
            progress: called as progress(step, steps) while it paints.
            ablate: one of ABLATIONS, the part to leave out: CLIP alone chooses ("fusion"), the painter sees the whole picture
                ("crop"), the boundary is not refined ("refine"), guidance or steps stay as they were set ("guidance", "steps"),
                the noise is never cold ("temperature"), a leaning object is painted as it leans ("straighten"), SAM is not asked
                for the object's shape, neither for the sketch nor to narrow a new view ("silhouette").

        Raises PromptError, UnknownWordError, ImageError, MaskError, SettingsError, each with one sentence. An object that is
        not there, or not clear, is not an error but a status of the result. Taught in notebook 05.
        """
        kind, mask = (mask, None) if _is_kind(mask) else (None, mask)
        settings = make_settings(
            self.models, prompt, seed=seed, steps=steps, guidance=guidance, threshold=threshold, select=select, grow=grow,
            rounds=rounds, feather=feather, sketch=sketch, ablate=ablate, mask=kind, match=match,
        )  # fmt: skip
        if select == "all":
            return self._edit_all(image, settings, mask, progress)
        return self._drive([self._start(image, settings, mask)], progress)[0]

    def _edit_all(self, image, settings: Settings, mask, progress) -> EditResult:
        """Edit every object that fits the words, one after the other; the result's mask is the union of their masks."""
        if mask is not None:
            raise SettingsError("A mask of your own and --select all exclude each other: leave one of them out.")
        source = open_image(image)
        settings = replace(settings, **_origin("image", image))
        prompt = self.parse(settings.prompt)
        found = self.detections(source, settings.threshold)
        chosen = match(source, found, prompt, self.models, "best", 1.0 if settings.ablate == "fusion" else FUSION, settings.match)
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
        """`edit` for several pictures, whose detections and paintings share calls of the models.

        masks: one per picture, or None; found: the objects of each picture, if they are known already (from a data set's
        annotations, say), in place of stage 1. Taught in notebook 06.
        """
        seeds = seeds if seeds is not None else [0] * len(prompts)
        kind = options.pop("mask", None)  # one kind for all, unless `masks` gives a picture its own
        masks, found = ([None] * len(prompts) if given is None else given for given in (masks, found))
        if options.get("select") == "all":
            raise SettingsError("A batch edits one object a picture: leave select='all' to `edit`.")
        running = []
        for image, prompt, seed, mask, known in zip(images, prompts, seeds, masks, found, strict=True):
            own, mask = (mask, None) if _is_kind(mask) else (kind, mask)
            running.append(self._start(image, make_settings(self.models, prompt, seed=seed, mask=own, **options), mask, known))
        return self._drive(running)

    def detections(self, image: Image.Image, threshold: float | None = None) -> Detections:
        """Stage 1 alone, from memory if the picture was seen before. Taught in notebook 01."""
        return self._find([Find(image, threshold)])[0]

    def parse(self, text: str, own_mask: bool = False) -> EditPrompt:
        """A prompt as `prompt.parse` reads it; raises UnknownWordError and PromptError for what these models cannot paint."""
        prompt = parse(text, own_mask)
        check_words(prompt, self.models.known_words)
        return prompt

    # --- driving the algorithm -----------------------------------------------------------------------------------

    def _start(
        self, image, settings: Settings, mask, found: Detections | None = None
    ) -> tuple[Generator[Find | Paint | Stage, Any, EditResult], Settings, Image.Image]:
        """The algorithm on one picture, as `_drive` takes it."""
        prompt = self.parse(settings.prompt, own_mask=mask is not None)
        source = open_image(image)
        own = None if mask is None else check_mask(mask, source.size)
        # Only now: a file that cannot be opened has been refused by then, with a message of its own.
        settings = replace(settings, **_origin("image", image), **_origin("mask", mask, own))
        return algorithm_1(source, prompt, self.models, settings, own, found), settings, source

    def _drive(self, running, progress=None) -> list[EditResult]:
        """Run the algorithms side by side: those that wait for the same model are served in one batch."""
        results: list[EditResult | None] = [None] * len(running)
        timings: list[dict[str, float]] = [{} for _ in running]
        asked: dict[int, Find | Paint] = {}
        stages = ["match"] * len(running)

        def took(i: int, stage: str, milliseconds: float) -> None:
            timings[i][stage] = timings[i].get(stage, 0.0) + milliseconds

        def advance(i: int, answer) -> None:
            generator, settings, image = running[i]
            while True:
                start = time.perf_counter()
                try:
                    request = generator.send(answer)
                except StopIteration as stop:
                    request = None
                    results[i] = replace(stop.value, settings=settings, timings_ms=timings[i], source=image)
                took(i, stages[i], 1000 * (time.perf_counter() - start))
                if not isinstance(request, Stage):
                    break
                stages[i], answer = request.name, None
            if request is None:
                asked.pop(i, None)
            else:
                asked[i] = request

        for i in range(len(running)):
            advance(i, None)
        while asked:
            looking = [i for i, request in asked.items() if isinstance(request, Find)]
            # All that wait for the detector are served first: it is quick, and so more of them can then be painted together.
            group = looking or self._alike(asked)
            start = time.perf_counter()
            if looking:
                answers = self._find([asked[i] for i in group])
            else:
                answers = self._paint([asked[i] for i in group], progress)
            spent = 1000 * (time.perf_counter() - start) / len(group)
            for i, answer in zip(group, answers):
                took(i, "inpaint" if not looking else "verify" if stages[i] == "verify" else "detect", spent)
                if not looking:
                    stages[i] = "verify"
                advance(i, answer)
        return results

    @staticmethod
    def _alike(asked: dict[int, Paint]) -> list[int]:
        """The requests that can be painted in one call, because they are the same but for their jobs."""
        first = next(iter(asked.values()))
        alike, jobs = [], 0
        for i, request in asked.items():
            if replace(request, jobs=first.jobs) == first and jobs < PAINTED_AT_ONCE:
                alike.append(i)
                jobs += len(request.jobs)
        return alike

    def _paint(self, requests: list[Paint], progress) -> list[list[Painting]]:
        jobs = [job for request in requests for job in request.jobs]
        first, painter = requests[0], self.models.painter

        def paint(some: Sequence) -> list[Painting]:
            return inpaint_batch(some, painter, first.steps, first.guidance, first.strength, progress=progress, refine=first.refine)

        painted = in_portions(jobs, self.models, paint)
        return [[painted.pop(0) for _ in request.jobs] for request in requests]

    def _find(self, requests: list[Find]) -> list[Detections]:
        detr, processor = self.models.detr, self.models.detr_processor
        seen = [reduced(request.image, processor) for request in requests]
        # The detections of a picture depend on what the detector sees of it, its size, and the threshold.
        keys = [(hashlib.sha256(small.tobytes()).digest(), one.image.size, one.threshold) for small, one in zip(seen, requests)]
        new = {key: pair for key, *pair in zip(keys, requests, seen) if key not in self._found}
        for threshold in {request.threshold for request, _ in new.values()}:
            todo = [key for key, (request, _) in new.items() if request.threshold == threshold]
            for at in range(0, len(todo), DETECTED_AT_ONCE):
                part = todo[at : at + DETECTED_AT_ONCE]
                images, small = zip(*((request.image, small) for request, small in (new[key] for key in part)))
                self._found.update(zip(part, detect_batch(images, detr, processor, threshold, small)))
        answers = [self._found[key] for key in keys]
        while len(self._found) > 32:
            self._found.popitem(last=False)
        return answers


def _is_kind(mask) -> bool:
    """Whether a mask is given as one of KINDS, the ways to make it; a file of that name is reached as ./sam."""
    return isinstance(mask, str) and mask in KINDS


def _origin(name: str, given, opened: Image.Image | None = None) -> dict[str, str]:
    """Where a picture was read from, so that the edit can be made again."""
    if isinstance(given, (str, os.PathLike)):
        path = Path(os.path.expanduser(given)).resolve()
        return {name: str(path), f"{name}_sha256": sha256_of(path)}
    if opened is not None:  # a mask in memory leaves a trace, so that nothing is replayed without it
        return {f"{name}_sha256": hashlib.sha256(opened.tobytes()).hexdigest()}
    return {}


def replay(
    path: Path | str, models: Models | None = None, progress=None, *, weights: Path | str | None = None,
    device: str | None = None, low_memory: bool | None = None,
) -> EditResult:  # fmt: skip
    """Make an edited PNG again from the settings that it carries: the same pixels on the same machine.

    weights, device, low_memory: of the models to load if none are given; by default those of the settings, or the best
    device if theirs is not there.
    Raises ImageError if the PNG carries no settings, a rival made it, or its source picture has moved or changed.
    Taught in notebook 05.
    """
    text = read_metadata(path).get(METADATA)
    if not text:
        raise ImageError(f"{path} carries no settings of an edit: give a PNG that `textedit-lite edit` wrote.")
    try:
        settings = Settings(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise ImageError(f"The settings in {path} cannot be read: give a PNG that this version wrote.") from error
    if settings.editor != "ours":
        raise ImageError(f"{path} was made by {settings.editor}, not by Algorithm 1: give a PNG that `textedit-lite edit` wrote.")
    for name in ("image", "mask"):
        source, digest = getattr(settings, name), getattr(settings, f"{name}_sha256")
        if name == "mask" and digest is None and (source is None or _is_kind(source)):
            continue
        if source is None:
            raise ImageError(f"{path} was made with {name} in memory: only an edit whose {name} is a file can be replayed.")
        if not Path(source).is_file():
            raise ImageError(f"The {name} {source} of this edit is no longer there: put it back to replay the edit.")
        if sha256_of(source) != digest:
            raise ImageError(f"The {name} {source} has changed since the edit: put the old one back to replay it.")
    if models is None:
        if device is None and settings.device:
            with contextlib.suppress(SettingsError):
                device = check_device(settings.device)
        models = load_models(weights or settings.weights, device, (settings.low_memory or None) if low_memory is None else low_memory)
    return Editor(models).edit(
        settings.image, settings.prompt, seed=settings.seed, steps=settings.steps, guidance=settings.guidance,
        threshold=settings.threshold, select=settings.select, mask=settings.mask, grow=settings.grow,
        rounds=settings.rounds, progress=progress, feather=settings.feather, sketch=settings.sketch, ablate=settings.ablate,
        match=settings.match,
    )  # fmt: skip
