"""DiffEdit: the mask is where two captions disagree, and only there the picture is denoised anew (Couairon et al., 2023).

Written with the parts of a text-to-image pipeline and diffusers' two DDIM schedulers. `StableDiffusionDiffEditPipeline` is
not used: it asks the autoencoder for a distribution, which a small one does not have, takes one threshold for all pictures
of a batch, and keeps the background one step noisier than it should be. For a single picture its mask is the same as here.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ..editor import EditResult
from ..models import Models
from .settings import settings_of
from .whole import Outcome, WholeJob, edit_whole, generators, outcomes
from .words import captions


def diffedit(image, prompt: str, models: Models, *, seed: int = 0, **settings: float) -> EditResult:
    """Edit a picture by DiffEdit: mask by noise contrast, DDIM inversion, denoising inside of the mask.

    The result carries the mask that it found. image: PIL, path or array; settings: steps, guidance, strength (how far it
    inverts), noise, maps and threshold (of the mask; `settings_of`).
    Raises PromptError, ImageError, SettingsError, and WeightsError. Taught in notebook 08.
    """
    return diffedit_batch([image], [prompt], models, [seed], **settings)[0]


def diffedit_batch(
    images: Sequence, prompts: Sequence[str], models: Models, seeds: Sequence[int], **settings: float
) -> list[EditResult]:
    """`diffedit` of several pictures; those of one size are inverted and denoised together. Taught in notebook 08."""
    import torch

    chosen = settings_of("diffedit", models, **settings)
    pipeline = models.rival("text2image")

    def paint(jobs: Sequence[WholeJob]) -> list[Outcome]:
        words = [captions(job.prompt, models.captions) for job in jobs]
        with torch.inference_mode():
            latents = encode([job.picture for job in jobs], pipeline)
            before, after = (states([pair[i] for pair in words], pipeline) for i in (0, 1))
            contrast = noise_contrast(
                latents, before, after, pipeline, generators(jobs), noise=chosen["noise"], maps=chosen["maps"], steps=chosen["steps"]
            )
            mask = contrast_mask(contrast.cpu().numpy(), chosen["threshold"])
            where = torch.from_numpy(mask).to(latents.device)
            levels = invert(latents, pipeline, steps=chosen["steps"], strength=chosen["strength"])
            latents = repaint(levels, where, after, pipeline, steps=chosen["steps"], guidance=chosen["guidance"])
            pixels = pipeline.vae.decode(latents.to(pipeline.vae.dtype) / pipeline.vae.config.scaling_factor).sample
            pixels, flags = pipeline.run_safety_checker(pixels, pixels.device, pixels.dtype)
        painted = outcomes(pipeline.image_processor.postprocess(pixels.detach(), output_type="np"), flags, pipeline)
        masks = [Image.fromarray(255 * one.astype(np.uint8)) for one in mask]
        return [replace(outcome, mask=one) for outcome, one in zip(painted, masks, strict=True)]

    return edit_whole("diffedit", images, prompts, seeds, models, pipeline, chosen, paint)


# --- the three steps ---------------------------------------------------------------------------------------------


def noise_contrast(latents, before, after, pipeline: Any, noise_of: Sequence, *, noise: float, maps: int, steps: int):
    """Step 1: how much the noise that is seen in a picture depends on the caption, float32 [B, h, w].

    The mean over channels, and over `maps` noises at time `noise`, of |e(x_t, after) - e(x_t, before)|. It is only
    compared with itself, so constant factors do not matter: a scheduler of velocities brings one, and guidance of both
    would. latents: [B, 4, h, h]; before, after: text states [B, tokens, width]; noise_of: one generator per picture.
    Taught in notebook 08.
    """
    import torch

    scheduler = pipeline.scheduler
    scheduler.set_timesteps(steps, device=latents.device)
    t = scheduler.timesteps[max(steps - int(steps * noise), 0) :][0]
    found = []
    for one, old, new, generator in zip(latents, before, after, noise_of, strict=True):
        drawn = torch.randn((maps, *one.shape), generator=generator, dtype=one.dtype).to(one.device)
        noisy = scheduler.add_noise(one.expand(maps, -1, -1, -1), drawn, t.expand(maps))
        told = torch.cat([old.expand(maps, -1, -1), new.expand(maps, -1, -1)])
        seen_old, seen_new = pipeline.unet(torch.cat([noisy, noisy]), t, told, return_dict=False)[0].float().chunk(2)
        found.append((seen_new - seen_old).abs().mean((0, 1)))
    return torch.stack(found)


def contrast_mask(contrast, threshold: float):
    """Where the contrast is more than `threshold` times its own picture's mean: bool [B, h, w] of float [B, h, w].

    Taught in notebook 08.
    """
    return contrast > threshold * contrast.mean((-2, -1))[:, None, None]


def invert(latents, pipeline: Any, *, steps: int, strength: float) -> list:
    """Step 2: DDIM run backwards without words; returns the latents at each level of noise, the clean ones first.

    Denoised without words, the last level leads back to the picture. Taught in notebook 08.
    """
    from diffusers import DDIMInverseScheduler

    # A schedule may come from another scheduler, as Stable Diffusion's does; this one would complain of settings unknown to it.
    known = inspect.signature(DDIMInverseScheduler.__init__).parameters
    config = {name: value for name, value in pipeline.scheduler.config.items() if name in known or name.startswith("_")}
    scheduler = DDIMInverseScheduler.from_config(config)
    scheduler.set_timesteps(steps, device=latents.device)
    nothing, levels = states([""] * len(latents), pipeline), [latents]
    for t in scheduler.timesteps[: int(steps * strength)]:
        seen = pipeline.unet(levels[-1], t, nothing, return_dict=False)[0]
        levels.append(scheduler.step(seen, t, levels[-1]).prev_sample)
    return levels


def keep_background(latents, level, mask):
    """y = M y + (1 - M) x: what was denoised inside of the mask, the inverted picture outside of it.

    latents, level: float [B, 4, h, w], of one level of noise; mask: bool [B, h, w]. Taught in notebook 08.
    """
    inside = mask[:, None]
    return inside * latents + ~inside * level


def repaint(levels: list, mask, after, pipeline: Any, *, steps: int, guidance: float):
    """Step 3: DDIM from the last level on: inside of the mask under the new caption, outside of it the inverted picture.

    mask: bool [B, h, w]; after: text states. Returns the latents [B, 4, h, w]; outside of the mask they are those of the
    picture. Taught in notebook 08.
    """
    import torch

    scheduler, count = pipeline.scheduler, len(levels) - 1
    scheduler.set_timesteps(steps, device=mask.device)
    words = torch.cat([states([""] * len(mask), pipeline), after]) if guidance > 1 else after
    latents = levels[-1]
    for k, t in enumerate(scheduler.timesteps[steps - count :]):
        seen = pipeline.unet(torch.cat([latents] * (len(words) // len(mask))), t, words, return_dict=False)[0]
        if guidance > 1:
            without, within = seen.chunk(2)
            seen = without + guidance * (within - without)
        latents = scheduler.step(seen, t, latents).prev_sample
        latents = keep_background(latents, levels[count - 1 - k], mask)
    return latents


# --- in and out of the model -------------------------------------------------------------------------------------


def encode(pictures: Sequence[Image.Image], pipeline: Any):
    """The latents of pictures, [B, 4, h, w]; where an autoencoder gives a distribution, its mean. Taught in notebook 08."""
    pixels = pipeline.image_processor.preprocess(list(pictures)).to(pipeline._execution_device, pipeline.vae.dtype)
    code = pipeline.vae.encode(pixels)
    latents = code.latents if hasattr(code, "latents") else code.latent_dist.mode()
    return latents.to(pipeline.unet.dtype) * pipeline.vae.config.scaling_factor


def states(texts: list[str], pipeline: Any):
    """Texts as the UNet reads them: [B, tokens, width]. Taught in notebook 08."""
    return pipeline.encode_prompt(texts, pipeline._execution_device, 1, False)[0]
