"""Measures what text-to-image draws: whether the detector finds what a picture's caption names, and whether CLIP sees its colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..boxes import square_crop
from ..detect import detect_batch
from ..errors import SettingsError
from ..match import similarity
from ..vocabulary import COLOURS, describe
from ..world.sprites import CATEGORIES
from .score_editor import interval

AT_ONCE = 8  # pictures that are drawn in one call
SIDE = 256  # pixels a side of what the detector sees: a scene of the small world


def captions(count: int, seed: int) -> list[tuple[str, str]]:
    """(category, colour) of `count` captions: all pairs, in a new order each time round, so that none comes up twice as often."""
    rng = np.random.default_rng([seed, 41])
    pairs = [(category, colour) for category in CATEGORIES for colour in COLOURS]
    return [pairs[i] for _ in range(0, count, len(pairs)) for i in rng.permutation(len(pairs))][:count]


def draw(wanted: list[tuple[str, str]], models: Any, seed: int = 0, progress: bool = True) -> list[Image.Image]:
    """Pictures drawn from nothing but noise and captions such as "a red car", at text2image's own size: RGB.

    Each has its own noise, whichever pictures are drawn with it; steps and guidance are SDEdit's (`settings_of`). Taught in notebook 08.
    """
    import torch
    from diffusers import StableDiffusionPipeline
    from tqdm import tqdm

    from ..rivals.settings import settings_of

    editing = models.rival("text2image")
    parts = {name: getattr(editing, name) for name in ("vae", "text_encoder", "tokenizer", "unet", "scheduler")}
    pipeline = StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    settings, pictures = settings_of("sdedit", models), []
    with tqdm(total=len(wanted), desc="drawing", unit="picture", disable=not progress) as bar:
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            generators = [torch.Generator("cpu").manual_seed(1000 * seed + start + i) for i in range(len(some))]
            pictures += pipeline(
                prompt=[models.captions.format(describe(*pair)) for pair in some], generator=generators,
                num_inference_steps=settings["steps"], guidance_scale=settings["guidance"],
            ).images  # fmt: skip
            bar.update(len(some))
    return pictures


def score_drawing(models: Any, count: int = 96, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """Of `count` pictures drawn from captions such as "a red car", the shares that show the object, and its colour, 0 to 1.

    Returns `category` (the detector finds an object of that class) and `colour` (and for CLIP one of these is nearest to
    its colour's caption), with 95 % bootstrap intervals under `intervals`. Both models judge pictures of a kind that they did
    not learn from: what they call a car may be a blob, so look at what `draw` gives.
    Raises SettingsError for a count under 1. Taught in notebook 08.
    """
    if count < 1:
        raise SettingsError(f"{count} pictures cannot be scored: give --count 1 or more.")
    wanted = captions(count, seed)
    pictures = draw(wanted, models, seed, progress)
    found, coloured = [], []
    for start in range(0, count, AT_ONCE):
        seen = [one.resize((SIDE, SIDE), Image.Resampling.LANCZOS) for one in pictures[start : start + AT_ONCE]]
        for picture, detections, pair in zip(seen, detect_batch(seen, models.detr, models.detr_processor), wanted[start:]):
            there = [box for box, label in zip(detections.boxes, detections.labels) if label == pair[0]]
            found.append(bool(there))
            coloured.append(bool(there) and pair[1] in _colours(picture, there, pair[0], models))
    shares = {"category": found, "colour": coloured}
    return {name: round(float(np.mean(values)), 4) for name, values in shares.items()} | {
        "intervals": {name: interval(values) for name, values in shares.items()}
    }


def _colours(picture: Image.Image, boxes: list, category: str, models: Any) -> set[str]:
    """The colours that CLIP reads off the objects in boxes."""
    options = [describe(category, colour) for colour in COLOURS]
    nearest = similarity([square_crop(picture, box) for box in boxes], options, models).argmax(1)
    return {COLOURS[i] for i in nearest}
