"""Stage 4: Stable Diffusion repaints the masked place, on a crop around it at the size that it was trained for."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from PIL import Image

from .blend import FEATHER, Start, check_feather, paste_back, refine_boundary
from .boxes import context_window, zoom
from .errors import MaskError, SettingsError
from .models import FEW_WORDS, PAINTING, native_side

BLACK = 4  # a painting whose brightest value (of 255) is below this was blackened by a safety checker
BLACKENED = "The safety checker blackened what was painted: change the words or the seed."
OVERFLOWN = ('Half precision overflowed in the painter, and what was painted is no picture (NaN): load the models with '
             'device="cpu" (--device cpu), which paints in full precision.')  # fmt: skip
NO_NUMBERS = "What was painted is no picture (NaN): the painter's weights are damaged, so fetch or train them again."
MAX_STEPS, MAX_GUIDANCE = 1000, 50
NOISED = 0.8  # share of the noise schedule that the first step must reach, or a painting would not start from noise

Progress = Callable[[int, int], None]  # (step, steps), after each step


@dataclass(frozen=True)
class Job:
    """What is to be painted: the picture, the mask (L, 255 = repaint), the caption, and the seed of the noise.

    start: the picture whose noised latents a strength below 1 starts from (`sketch.sketch`), if that is not `image`;
    feather: how wide the painting fades in, in short sides of the mask's box; whole: the painter sees all of the
    picture, not the window around the mask; temperature: of the noise, if the painting starts from noise alone (`noise`).
    """

    image: Image.Image
    mask: Image.Image
    description: str
    seed: int = 0
    start: Image.Image | None = None
    feather: float = FEATHER
    whole: bool = False
    temperature: float = 1.0


@dataclass(frozen=True)
class Painting:
    """One repainted picture; if there is none, `refused` says why in a sentence, and `image` is the input's."""

    image: Image.Image
    seed: int
    refused: str = ""


@dataclass(frozen=True)
class _Native:
    """A job as the painter sees it: a window (xyxy, pixels) of the picture; picture, mask, hole and start at native size.

    hole: the mask as the painter is given it (`_hole`).
    """

    window: tuple[int, int, int, int]
    image: Image.Image
    mask: Image.Image
    hole: Image.Image
    start: Image.Image


# --- schedules ---------------------------------------------------------------------------------------------------


def step_schedule(round_index: int, steps: int) -> int:
    """Denoising steps of a round r = 0, 1, ...: n_r = ceil(n (1 + r / 2)), so that a further try is a finer one.

    At most 1000, as many as the noise schedule has. Taught in notebook 04.
    """
    return min(math.ceil(steps * (1 + round_index / 2)), MAX_STEPS)


def guidance_scale(base: float, shown: float, round_index: int = 0) -> float:
    """The context-aware guidance scale: g = 1 + (g0 - 1) (1 + (1 - p) / 4) (1 + r / 4).

    p (0..1) is how much of the wish CLIP reads on the object already: the further the picture is from the words, the
    harder the words pull, and each further round r makes them pull harder. g = 1 is no guidance (Ho & Salimans, 2022),
    50 the most. Taught in notebook 04.
    """
    scale = 1 + (base - 1) * (1 + (1 - min(max(shown, 0.0), 1.0)) / 4) * (1 + round_index / 4)
    return min(scale, MAX_GUIDANCE)


def possible_steps(steps: int, painter) -> int:
    """As many of `steps` as a painter's scheduler can take from noise to picture: all, or the next fewer that it can.

    LCM's takes at most the 50 that it was distilled over. One with the spacing "leading" takes every k-th of 1000 timesteps,
    k whole: of 1000 steps the first would lie beyond them, and 501 steps would set out from timestep 501, where half of the
    noise is gone already.
    """
    scheduler = copy.deepcopy(painter.scheduler)  # another thread may be painting with it
    end = scheduler.config.num_train_timesteps

    def possible(n: int) -> bool:
        try:
            scheduler.set_timesteps(n)
        except ValueError:
            return False
        return NOISED * end * (1 - 1 / n) <= scheduler.timesteps.max() < end

    return next((n for n in range(steps, 1, -1) if possible(n)), 1)


def check_settings(steps: int, guidance: float, strength: float = 1.0, painter=None) -> None:
    """Raises SettingsError for a setting that no painting, or none by this painter, can have; it says what to give instead."""
    if not (isinstance(steps, Integral) and 1 <= steps <= MAX_STEPS):
        raise SettingsError(f"Painting cannot take {steps} steps: give a whole number from 1 to 1000.")
    if painter is not None and (possible := possible_steps(steps, painter)) != steps:
        name = type(painter.scheduler).__name__
        raise SettingsError(f"Painting cannot take {steps} steps with this painter's {name}: give {possible}.")
    if not (isinstance(guidance, Real) and 1 <= guidance <= MAX_GUIDANCE):
        raise SettingsError(f"The guidance cannot be {guidance}: give a number from 1 (none) to 50.")
    if not (isinstance(strength, Real) and 0 < strength <= 1 and int(steps * strength) >= 1):
        raise SettingsError(f"A strength of {strength} leaves none of {steps} steps: give {1 / steps:.3g} to 1.")


def check_temperature(temperature: float) -> None:
    """Raises SettingsError for a temperature that no noise can have."""
    if not (isinstance(temperature, Real) and 0 <= temperature <= 1):
        raise SettingsError(f"The temperature cannot be {temperature}: give a number from 0 (no noise) to 1.")


# --- painting ----------------------------------------------------------------------------------------------------


def inpaint(
    image: Image.Image, mask: Image.Image, description: str, painter, *, seeds: Sequence[int] = (0,), steps: int = 12,
    guidance: float = 3.0, strength: float = 1.0, negative: str = "", progress: Progress | None = None,
    refine: bool = True, feather: float = FEATHER, temperature: float = 1.0,
) -> list[Painting]:  # fmt: skip
    """Repaint the masked place of a picture so that `description` is true there: one painting per seed, in one batch.

    image: RGB; mask: L of the same size, 255 = repaint; painter: a StableDiffusionInpaintPipeline. The painter sees a
    square window around the mask at its own native size; a painter of photographs sees only the part of it that lies in the
    picture (`painting_size`). Only the masked part comes back, its boundary refined and feathered inwards, so everything outside
    of the mask equals the input bit for bit (Rombach et al., 2022; paper, stage 4). The same seeds give the same pictures on
    the same machine; alone or beside others, a seed's picture is the same up to the last digit of the arithmetic. negative:
    words to keep away from; strength: below 1 the picture under the mask shines through; progress(step, steps) is called
    after each step (some schedulers take more steps than they were told to); feather: in short sides of the mask;
    temperature: of the noise that it starts from, 0 to 1 (`noise`).

    Raises MaskError for an empty mask or one of another size, SettingsError for settings out of range.
    Taught in notebook 04.
    """
    check_feather(feather)
    check_temperature(temperature)
    jobs = [Job(image, mask, description, seed, feather=feather, temperature=temperature) for seed in seeds]
    return inpaint_batch(jobs, painter, steps, guidance, strength, negative, progress, refine)


def inpaint_batch(
    jobs: Sequence[Job], painter, steps: int = 12, guidance: float = 3.0, strength: float = 1.0, negative: str = "",
    progress: Progress | None = None, refine: bool = True,
) -> list[Painting]:  # fmt: skip
    """`inpaint` for several pictures, masks and captions, those of one size in one call of the pipeline. Taught in notebook 04."""
    check_settings(steps, guidance, strength, painter)
    natives = [_native(job, painter) for job in jobs]
    paintings: dict[int, Painting] = {}
    for size in dict.fromkeys(native.image.size for native in natives):
        alike = [i for i, native in enumerate(natives) if native.image.size == size]
        some = [jobs[i] for i in alike], [natives[i] for i in alike]
        paintings |= zip(alike, _painted(*some, painter, steps, guidance, strength, negative, progress, refine))
    return [paintings[i] for i in range(len(jobs))]


def _painted(jobs, natives, painter, steps, guidance, strength, negative, progress, refine) -> list[Painting]:
    """The paintings of jobs that the painter sees at one size."""

    def after_step(pipeline, step, timestep, tensors):
        if progress:
            progress(step + 1, pipeline.num_timesteps)
        return {}

    output = _run(jobs, natives, painter, steps, guidance, strength, negative, after_step)
    flags = getattr(output, "nsfw_content_detected", None) or [False] * len(jobs)
    seen = round_trip([native.start for native in natives], painter) if strength < 1 else [None] * len(jobs)
    paintings = []
    for job, native, pixels, through, flagged in zip(jobs, natives, output.images * 255, seen, flags, strict=True):
        if refused := refusal(pixels, flagged, painter):
            paintings.append(Painting(job.image, job.seed, refused))
            continue
        if refine:
            pixels = refine_boundary(np.asarray(native.image), pixels, np.asarray(native.mask) > 0)
        painted = Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))
        start = None if through is None else Start(job.start or job.image, through)
        pasted = paste_back(job.image, painted, job.mask, native.window, job.feather, start)
        paintings.append(Painting(pasted, job.seed))
    return paintings


def painting_size(size: tuple[int, int], painter) -> tuple[int, int]:
    """(width, height) at which a painter sees a window of `size`: its aspect, and the area that the painter was trained on.

    A square is seen at the native size; else both sides are multiples of the pixels that UNet and autoencoder halve down to
    one: 64 for Stable Diffusion 1.5, 16 for the lite painter.
    """
    step = painter.vae_scale_factor * 2 ** (len(painter.unet.config.block_out_channels) - 1)
    side, aspect = native_side(painter), math.sqrt(size[0] / size[1])
    if aspect == 1:
        return side, side
    return max(step, round(side * aspect / step) * step), max(step, round(side / aspect / step) * step)


def noise(generator, painter, temperature: float = 1.0, size: tuple[int, int] | None = None):
    """The latents that a painting starts from: x_T = tau e with e ~ N(0, 1), [1, 4, h, w].

    generator: torch's, on the CPU, so that what a seed draws does not depend on the device; size: width and height of the
    painting in pixels, by default the painter's native square.
    Sampling is a fixed way from noise to a picture, and the nearer to 0 the noise lies, the more usual the picture: the
    temperature tau trades variety for likeness, as the truncation trick does (Brock et al., 2019). If a caption leaves
    little open and the painter is small, its seeds differ mostly in their errors, which a low temperature leaves out;
    a large painter of photographs was made for tau = 1. Taught in notebook 04.
    """
    import torch

    width, height = (pixels // painter.vae_scale_factor for pixels in size or [native_side(painter)] * 2)
    drawn = torch.randn((1, painter.vae.config.latent_channels, height, width), generator=generator)
    return (temperature * drawn).to(painter.unet.dtype)


def round_trip(pictures: Sequence[Image.Image], painter) -> list[Image.Image]:
    """Pictures of native size as they come back from the painter's autoencoder, unpainted. Taught in notebook 04."""
    import torch

    with torch.inference_mode():
        # Not `device`: in low memory the painter waits on the CPU and works on the GPU.
        pixels = painter.image_processor.preprocess(list(pictures)).to(painter._execution_device, painter.vae.dtype)
        code = painter.vae.encode(pixels)
        latents = code.latents if hasattr(code, "latents") else code.latent_dist.mode()
        return painter.image_processor.postprocess(painter.vae.decode(latents).sample, output_type="pil")


def denoising(
    image: Image.Image, mask: Image.Image, description: str, painter, *, seed: int = 0, steps: int = 12,
    guidance: float = 3.0,
) -> list[Image.Image]:  # fmt: skip
    """What the painter's latents show after each step, from noise to picture: one crop per step, at native size.

    Arguments and errors as those of `inpaint`. Taught in notebook 04.
    """
    import torch

    check_settings(steps, guidance, painter=painter)
    job, latents = Job(image, mask, description, seed), []

    def after_step(pipeline, step, timestep, tensors):
        latents.append(tensors["latents"])
        return {}

    _run([job], [_native(job, painter)], painter, steps, guidance, 1.0, "", after_step)
    with torch.inference_mode():  # one at a time, as all of them at full size take gigabytes
        decoded = [painter.vae.decode(one / painter.vae.config.scaling_factor).sample for one in latents]
    return [picture for pixels in decoded for picture in painter.image_processor.postprocess(pixels, output_type="pil")]


def refusal(pixels: np.ndarray, flagged: bool, painter) -> str:
    """A sentence for the user, why what a pipeline painted (0 to 255) is not a picture; "" if it is one.

    flagged: whether the pipeline's safety checker says that it blackened the painting.
    """
    import torch

    if np.isnan(pixels).any():
        return OVERFLOWN if painter.unet.dtype == torch.float16 else NO_NUMBERS
    return BLACKENED if flagged or pixels.max() < BLACK else ""


def _native(job: Job, painter) -> _Native:
    size, box = job.image.size, job.mask.getbbox()
    if job.mask.size != size or not box or job.mask.crop(box).getextrema()[1] < 128:
        raise MaskError("The mask is empty or not of the picture's size: paint white what is to be repainted.")
    window = context_window((0, 0, *size), size, 1.0) if job.whole else context_window(box, size)
    if _of_photographs(painter):  # beyond the picture is nothing that a painting should agree with
        window = (max(window[0], 0), max(window[1], 0), min(window[2], size[0]), min(window[3], size[1]))
    seen = painting_size((window[2] - window[0], window[3] - window[1]), painter)
    image = zoom(job.image, window, seen)
    # Black beyond the picture's borders, where nothing is pasted back.
    soft = zoom(job.mask, window, seen, Image.Resampling.BILINEAR, "constant")
    cut = min(128, soft.getextrema()[1])  # a mask thinner than a pixel of the crop leaves a hole all the same
    mask = soft.point([255 if value >= cut else 0 for value in range(256)])
    start = image if job.start is None else zoom(job.start, window, seen)
    return _Native(window, image, mask, _hole(soft, mask, painter.vae_scale_factor), start)


def _of_photographs(painter) -> bool:
    """Whether a painter has seen enough to paint in any aspect ratio; one that knows only the words of a small world has not.

    The lite one, trained on squares, is given the picture's edge repeated beyond the border: of 112 large objects that it
    painted from noise alone, 69 % came out right this way, and 27 % in windows that end where the picture does.
    """
    return len(painter.tokenizer) >= FEW_WORDS


def _hole(soft: Image.Image, mask: Image.Image, cell: int) -> Image.Image:
    """The mask that the painter is given: parts of it that are thinner than a latent `cell` (pixels a side) become whole cells.

    diffusers looks at only one pixel of each cell, the first, so a thin part could fall between these pixels and not be
    painted; and what is thinner than a pixel is in the `soft` mask only. What lies within a cell of a thicker part is only
    the edge of that part, and stays as it is.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    masked = np.asarray(mask) > 0
    thin = (np.asarray(soft) > 0) & ~maximum_filter(minimum_filter(masked, cell, mode="constant"), 3 * cell + 1)
    rows, columns = masked.shape[0] // cell, masked.shape[1] // cell
    lost = thin.reshape(rows, cell, columns, cell).any((1, 3)) & ~masked[::cell, ::cell]
    return Image.fromarray(np.uint8(255) * (masked | lost.repeat(cell, 0).repeat(cell, 1)))


def _run(jobs, natives, painter, steps, guidance, strength, negative, after_step):
    """One call of the pipeline; below a strength of 1 it draws its noise itself, and adds it to the start."""
    import torch

    size = width, height = natives[0].image.size
    generators = [torch.Generator("cpu").manual_seed(job.seed) for job in jobs]
    drawn = [noise(one, painter, job.temperature, size) for one, job in zip(generators, jobs, strict=True)] if strength == 1 else None
    with PAINTING:
        return painter(
            prompt=[job.description for job in jobs], negative_prompt=[negative] * len(jobs) if negative else None,
            image=[native.start for native in natives], mask_image=[native.hole for native in natives], height=height,
            width=width, strength=strength, num_inference_steps=steps, guidance_scale=guidance, output_type="np",
            generator=generators, latents=torch.cat(drawn) if drawn else None, callback_on_step_end=after_step,
        )  # fmt: skip
