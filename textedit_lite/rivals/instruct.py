"""InstructPix2Pix: a model that was taught to follow an instruction on a picture that it sees (Brooks et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from ..editor import EditResult
from ..inpaint import noise
from ..models import Models
from .settings import settings_of
from .whole import Outcome, WholeJob, edit_whole, generators, outcomes
from .words import instruction


def instruct_pix2pix(image, prompt: str, models: Models, *, seed: int = 0, **settings: float) -> EditResult:
    """Edit a picture by InstructPix2Pix: draw it anew from noise, given the picture's latents and an instruction.

    e = e(0, 0) + image_guidance (e(c, 0) - e(0, 0)) + guidance (e(c, w) - e(c, 0)), with c the picture and w the words
    (equation 3). image: PIL, path or array; settings: steps, guidance, image_guidance, temperature (`settings_of`).
    Raises PromptError, ImageError, SettingsError, and WeightsError. Taught in notebook 08.
    """
    return instruct_pix2pix_batch([image], [prompt], models, [seed], **settings)[0]


def instruct_pix2pix_batch(
    images: Sequence, prompts: Sequence[str], models: Models, seeds: Sequence[int], **settings: float
) -> list[EditResult]:
    """`instruct_pix2pix` of several pictures, those of one size in one call of the pipeline. Taught in notebook 08."""
    chosen = settings_of("instruct-pix2pix", models, **settings)
    pipeline = models.rival("instruct-pix2pix")

    def paint(jobs: Sequence[WholeJob]) -> list[Outcome]:
        import torch

        seeded = generators(jobs)
        drawn = [noise(one, pipeline, chosen["temperature"], job.picture.size) for one, job in zip(seeded, jobs, strict=True)]
        output = pipeline(
            prompt=[instruction(job.prompt, brief=models.known_words is not None) for job in jobs],
            image=[job.picture for job in jobs], num_inference_steps=chosen["steps"], guidance_scale=chosen["guidance"],
            image_guidance_scale=chosen["image_guidance"], generator=seeded, latents=torch.cat(drawn),
            output_type="np",
        )  # fmt: skip
        return outcomes(output.images, output.nsfw_content_detected, pipeline)

    return edit_whole("instruct-pix2pix", images, prompts, seeds, models, pipeline, chosen, paint)
