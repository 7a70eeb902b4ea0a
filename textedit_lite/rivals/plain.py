"""The plain way: the paper's pipeline as it is most likely coded, without the editor's machinery."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from ..boxes import square_crop
from ..detect import check_threshold, detect
from ..editor import EditResult
from ..images import open_image
from ..inpaint import check_settings
from ..mask import build_mask
from ..match import Candidate, similarity
from ..models import PAINTING, Models
from ..prompt import check_words, parse
from ..seed import check_seed
from ..settings import Settings
from ..vocabulary import describe
from .whole import Outcome, outcomes


def plain_edit(
    image, prompt: str, models: Models, *, seed: int = 0, steps: int = 40, strength: float = 0.9, threshold: float = 0.7,
    guidance: float = 7.5,
) -> EditResult:  # fmt: skip
    """Edit a picture the plain way: the paper's pipeline as it is most likely coded, without the editor's machinery.

    There is one fixed detection threshold. CLIP is called once per crop, and the crop nearest to the source's words is the
    object. Its box, unchanged, is the mask. The WHOLE picture, squeezed to the painter's square, goes once through the
    pipeline, and what comes back is stretched to the picture's size. Nothing checks whether the change has happened: any
    picture that comes back counts, so `status` is "edited" and `verified` False.

    With the editor it shares only what it would not do worse by itself: the models, the square crops that suit the
    lite CLIP, and the target words of the prompt. A selector ("left") means nothing to it.

    image: PIL, path or array; steps, strength, guidance: the paper's 40, 0.9 and Stable Diffusion's 7.5.
    Raises PromptError, UnknownWordError, ImageError, SettingsError as `Editor.edit` does. Taught in notebook 08.
    """
    check_settings(steps, guidance, strength, models.painter)
    check_threshold(threshold)
    check_seed(seed)
    parsed = parse(prompt)
    check_words(parsed, models.known_words)
    image = open_image(image)
    settings = Settings(
        prompt, int(seed), int(steps), float(guidance), float(threshold), rounds=1, weights=models.name, editor="plain",
        rival={"strength": float(strength)}, device=models.device.split(":")[0],
    )  # fmt: skip
    timings: dict[str, float] = {}

    def timed(stage, function, *arguments, **options):
        start = time.perf_counter()
        value = function(*arguments, **options)
        timings[stage] = 1000 * (time.perf_counter() - start)
        return value

    found = timed("detect", detect, image, models.detr, models.detr_processor, threshold)
    if not len(found):
        message = f"The detector is sure of nothing in the picture, at a threshold of {threshold}: lower it."
        return EditResult("not_found", message, settings=settings, timings_ms=timings, source=image)
    words = describe(parsed.name, parsed.colour, parsed.view, parsed.pose)
    alike = timed("match", lambda: [similarity([square_crop(image, box)], [words], models)[0, 0] for box in found.boxes])
    candidates = tuple(
        Candidate(
            box=tuple(box.tolist()), label=label, detr_score=float(score), clip_score=float(cosine), score=float(cosine),
            fits=True,
        )
        for box, label, score, cosine in zip(found.boxes, found.labels, found.scores, alike, strict=True)
    )  # fmt: skip
    index = int(np.argmax(alike))
    ranked = sorted(alike, reverse=True)
    margin = float(ranked[0] - ranked[1]) if len(ranked) > 1 else float(ranked[0])
    mask = timed("mask", build_mask, image.size, found.boxes[index], grow=0.0)
    outcome = timed("inpaint", _whole, image, mask, parsed.target, models, int(seed), int(steps), guidance, strength)
    return EditResult(
        status="unverified" if outcome.refused else "edited", message=outcome.refused or "A picture came back.",
        image=None if outcome.refused else outcome.picture.resize(image.size), mask=mask, box=candidates[index].box,
        candidates=candidates, index=index, margin=margin, rounds=1, description=parsed.target, settings=settings,
        timings_ms=timings, source=image,
    )  # fmt: skip


def _whole(image, mask, description, models: Models, seed, steps, guidance, strength) -> Outcome:
    """What the painter makes of the whole picture at its native square."""
    import torch

    side = models.native
    square = (side, side)
    with PAINTING:
        output = models.painter(
            prompt=description, image=image.resize(square), mask_image=mask.resize(square, Image.Resampling.NEAREST),
            height=side, width=side, num_inference_steps=steps, guidance_scale=guidance, strength=strength,
            generator=torch.Generator("cpu").manual_seed(seed), output_type="np",
        )  # fmt: skip
    (outcome,) = outcomes(output.images, output.nsfw_content_detected, models.painter)
    return outcome
