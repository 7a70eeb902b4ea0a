"""SDEdit: noises the picture part of the way, and denoises it under a caption of what it is to show (Meng et al., 2022)."""

from __future__ import annotations

from collections.abc import Sequence

from ..editor import EditResult
from ..models import Models
from .settings import settings_of
from .whole import Outcome, WholeJob, edit_whole, generators, outcomes
from .words import captions


def sdedit(image, prompt: str, models: Models, *, seed: int = 0, **settings: float) -> EditResult:
    """Edit a picture by SDEdit: x_t = sqrt(a_t) x + sqrt(1 - a_t) e, then denoised from t = strength on.

    A low strength keeps the picture and changes nothing, a high one changes all of it; nothing says where to change it.
    image: PIL, path or array; settings: steps, guidance, strength (`settings_of`). It is `StableDiffusionImg2ImgPipeline`,
    told only what the picture is to show. Raises PromptError, ImageError, SettingsError, and WeightsError. Taught in notebook 08.
    """
    return sdedit_batch([image], [prompt], models, [seed], **settings)[0]


def sdedit_batch(
    images: Sequence, prompts: Sequence[str], models: Models, seeds: Sequence[int], **settings: float
) -> list[EditResult]:
    """`sdedit` of several pictures, those of one size in one call of the pipeline. Taught in notebook 08."""
    chosen = settings_of("sdedit", models, **settings)
    pipeline = models.rival("text2image")

    def paint(jobs: Sequence[WholeJob]) -> list[Outcome]:
        output = pipeline(
            prompt=[captions(job.prompt, models.captions)[1] for job in jobs], image=[job.picture for job in jobs],
            strength=chosen["strength"], num_inference_steps=chosen["steps"], guidance_scale=chosen["guidance"],
            generator=generators(jobs), output_type="np",
        )  # fmt: skip
        return outcomes(output.images, output.nsfw_content_detected, pipeline)

    return edit_whole("sdedit", images, prompts, seeds, models, pipeline, chosen, paint)
