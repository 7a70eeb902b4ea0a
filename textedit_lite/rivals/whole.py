"""What the rivals have in common: they see whole pictures at a model's own size, many at a time, and give whole ones back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..editor import Editor, EditResult
from ..images import open_image
from ..inpaint import painting_size, refusal
from ..memory import in_portions
from ..models import PAINTING, Models
from ..prompt import EditPrompt
from ..seed import check_seed
from ..settings import Settings


@dataclass(frozen=True)
class WholeJob:
    """One picture at the model's own size, the edit that is wanted, and the seed of its noise."""

    picture: Image.Image
    prompt: EditPrompt
    seed: int


@dataclass(frozen=True)
class Outcome:
    """The result of a job: the picture at the model's size, and where the rival repainted it (L), if it knows."""

    picture: Image.Image
    mask: Image.Image | None = None
    refused: str = ""  # if there is no usable picture: why, in a sentence


Paint = Callable[[Sequence[WholeJob]], list[Outcome]]


def working_size(size: tuple[int, int], pipeline: Any) -> tuple[int, int]:
    """(width, height) at which a pipeline sees a picture of `size`: the picture's aspect, at the area the model was trained on.

    Both are multiples of what UNet and autoencoder can halve: 64 pixels for Stable Diffusion 1.5, 16 for the lite models.
    Taught in notebook 08.
    """
    return painting_size(size, pipeline)


def edit_whole(
    rival: str, images: Sequence, prompts: Sequence[str], seeds: Sequence[int], models: Models, pipeline: Any, settings: dict[str, float],
    paint: Paint,
) -> list[EditResult]:  # fmt: skip
    """A rival's results, in order, for pictures sent through `paint` at the model's own size; those of one size go together.

    Nothing checks whether the change has happened: any picture that comes back counts, so the status is "edited" and
    `verified` False. Raises PromptError, UnknownWordError, ImageError, SettingsError as `Editor.edit` does.
    """
    for seed in seeds:
        check_seed(seed)
    parsed = [Editor(models).parse(prompt) for prompt in prompts]
    sources = [open_image(image) for image in images]
    groups: dict[tuple[int, int], list[int]] = {}
    for i, source in enumerate(sources):
        groups.setdefault(working_size(source.size, pipeline), []).append(i)
    results: dict[int, EditResult] = {}

    def asked(i: int) -> Settings:
        return Settings(
            prompts[i], int(seeds[i]), int(settings["steps"]), settings["guidance"], rounds=1, weights=models.name,
            editor=rival, rival=dict(settings), device=models.device.split(":")[0],
        )  # fmt: skip

    def painted(some: Sequence[int]) -> list[EditResult]:
        start = time.perf_counter()
        size = working_size(sources[some[0]].size, pipeline)
        jobs = [WholeJob(sources[i].resize(size, Image.Resampling.LANCZOS), parsed[i], int(seeds[i])) for i in some]
        with PAINTING:
            try:
                outcomes = paint(jobs)
            finally:  # parts that wait on the CPU go back there, also those that an error, or a rival's own steps, left on the GPU
                pipeline.maybe_free_model_hooks()
        spent = 1000 * (time.perf_counter() - start) / len(some)
        return [_result(sources[i], parsed[i], outcome, asked(i), spent) for i, outcome in zip(some, outcomes, strict=True)]

    for members in groups.values():
        results |= zip(members, in_portions(members, models, painted), strict=True)
    return [results[i] for i in range(len(sources))]


def _result(source: Image.Image, prompt: EditPrompt, outcome: Outcome, settings: Settings, spent: float) -> EditResult:
    if outcome.refused:
        status, message, picture = "unverified", outcome.refused, None
    else:
        status, message = "edited", "A picture came back."
        picture = outcome.picture.resize(source.size, Image.Resampling.LANCZOS)
    mask = None if outcome.mask is None else outcome.mask.resize(source.size, Image.Resampling.NEAREST)
    return EditResult(
        status, message, image=picture, mask=mask, rounds=1, description=prompt.target, settings=settings,
        timings_ms={"inpaint": spent}, source=source,
    )  # fmt: skip


def generators(jobs: Sequence[WholeJob]) -> list:
    """The generator of each job's noise, on the CPU, so that the noise does not depend on the device."""
    import torch

    return [torch.Generator("cpu").manual_seed(job.seed) for job in jobs]


def outcomes(pixels: np.ndarray, flags: Sequence[bool] | None, pipeline: Any) -> list[Outcome]:
    """What a pipeline painted, float [B, H, W, 3] from 0 to 1, as pictures, or the reason why one is not usable.

    flags: which of them the safety checker says that it blackened; None without one.
    """
    flags = flags if flags is not None else [False] * len(pixels)
    refused = [refusal(255 * one, flag, pipeline) for one, flag in zip(pixels, flags, strict=True)]
    whole = np.rint(255 * np.nan_to_num(pixels)).astype(np.uint8)
    return [Outcome(Image.fromarray(one), refused=why) for one, why in zip(whole, refused, strict=True)]
