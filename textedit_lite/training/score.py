"""Measures the lite models, each by itself and all together as the editor, on test scenes that no training has seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..boxes import context_window, crop, grow_box
from ..errors import SettingsError, WeightsError
from ..models import load_models
from ..resources import data_path
from ..seed import check_seed
from ..world.scenes import make_scene, render
from . import clip, detr
from .data import label
from .score_drawing import score_drawing
from .score_editor import score_editor
from .score_masks import score_masks
from .score_matching import score_matching
from .score_oracle import score_oracle

MEASURED = ("detr", "clip", "vae", "editor", "oracle", "matching", "masks", "text2image")
OF_ALL_MODELS = {"editor": score_editor, "matching": score_matching, "masks": score_masks, "text2image": score_drawing}
BATCH = 25  # scenes


def score(
    what: str, count: int = 1000, seed: int = 0, weights: str | Path = "lite", progress: bool = True
) -> dict[str, float]:
    """The figures of one model, or of the whole editor, on the first `count` test scenes of a seed.

    Args:
        what: "detr" -> `ap`, `ap50` (box AP by pycocotools); "clip" -> `category`, `colour_category`, `view`, `pose`,
            `everything` (shares of true crops read correctly); "vae" -> `psnr` (dB, there and back); "editor" ->
            `target`, `color`, `updown`, `tilt`, `front`, `kept`, `sharpness`, `background_changed`; "oracle" -> how
            often the editor's judge is right, with its confusion tables on stderr; "matching" -> `kinds`, `asks` and
            `right_unasked`, how often stage 2 chooses the object that words mean (`score_matching`); "masks" -> `iou`,
            `iou_detr`, `covered` and `touched` of each kind of mask (`score_masks`); "text2image" -> `category` and
            `colour`, how often `count` pictures drawn from noise show what their captions name (`score_drawing`).
        weights: "lite", or a folder that holds detr/, clip/ and inpaint/, or what one trainer wrote.

    Raises: SettingsError for an invalid name, count or seed; WeightsError if the weights are not there.
    Taught in notebook 09.
    """
    if what not in MEASURED:
        raise SettingsError(f"There is no score of {what!r}: choose one of {', '.join(MEASURED)}.")
    if count < 1:
        raise SettingsError(f"{count} scenes cannot be scored: give --count 1 or more.")
    check_seed(seed)
    if what == "oracle":
        return score_oracle(count, seed, progress)
    if measure := OF_ALL_MODELS.get(what):
        return measure(load_models(weights), count, seed, progress=progress)
    measure = {"detr": detr.score, "clip": clip.score, "vae": vae}[what]
    return measure(_folder(weights, "inpaint" if what == "vae" else what), count, seed, progress)


def vae(folder: Path | str, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """`psnr` of a saved autoencoder, there and back, on the windows that the painter works on, in dB.

    There is one crop per scene: the painter's window around one of its objects, at the painter's own size. The result is
    the mean of 10 log10(1 / MSE). `folder` holds vae/, and unet/ if the painter is there. Taught in notebook 04.
    """
    import torch
    from PIL import Image
    from tqdm import tqdm

    from .inpaint import NATIVE
    from .vae import load_vae, psnr

    folder = Path(folder)
    if not (folder / "vae" / "config.json").exists():
        raise WeightsError(f"There is no autoencoder in {folder}/vae: `textedit-lite train vae --out DIR` trains one.")
    model = load_vae(folder / "vae")
    side = NATIVE
    if (unet := folder / "unet" / "config.json").exists():
        side = json.loads(unet.read_text())["sample_size"] * 2 ** (len(model.config.block_out_channels) - 1)
    found = []
    for start in tqdm(range(0, count, BATCH), desc="scoring the VAE", unit="batch", disable=not progress):
        crops = []
        for index in range(start, min(start + BATCH, count)):
            scene = make_scene(index, "test", seed)
            things, image = label(scene), render(scene)
            window = context_window(grow_box(things[index % len(things)].box, image.size), image.size)
            crops.append(np.asarray(crop(image, window).resize((side, side), Image.Resampling.LANCZOS)))
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1
        found.append((psnr(model, pixels), len(crops)))
    return {"psnr": round(sum(value * crops for value, crops in found) / count, 2)}


def _folder(weights: str | Path, part: str) -> Path:
    """The folder of one model of a set; a folder that holds just that model serves as well."""
    folder = data_path("models", "lite") if str(weights) == "lite" else Path(weights)
    return folder / part if (folder / part).is_dir() else folder
