"""Trains the lite Mask2Former: from a picture to the shapes and categories of all its objects, without any hint."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import SettingsError
from ..resources import data_path
from ..world.scenes import make_scene
from ..world.sprites import CATEGORIES
from .card import write_card
from .data import scene_cache
from .detr import shrink
from .detr_model import MEAN, SIDE, STD
from .loop import run
from .sam import LEAST, shape_maps
from .settings import check_settings, fingerprint

SCENES = 8000
QUERIES = 16
BATCH = 8
POINTS = 1024  # points of a mask that the loss looks at; the full-size model's 12,544 cost more than they teach here
BACKBONE_RATE = 0.3  # share of the peak learning rate for what the detector has already learnt


def build(start: Path | str | None = None):
    """A `Mask2FormerForUniversalSegmentation` over a small ResNet (1.9 M numbers), untrained without a start.

    start: the folder of a trained lite detector, whose backbone's first three stages are the start of this one's, or of
    an earlier training of this model, which then goes on. Raises SettingsError for any other. Taught in notebook 07.
    """
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig

    backbone = ResNetConfig(
        embedding_size=32, hidden_sizes=[32, 64, 128, 128], depths=[1, 2, 3, 1], layer_type="basic",
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = Mask2FormerConfig(
        backbone_config=backbone, feature_size=64, mask_feature_size=64, hidden_dim=64, encoder_layers=2, encoder_feedforward_dim=128,
        decoder_layers=4, dim_feedforward=192, num_attention_heads=4, num_queries=QUERIES, train_num_points=POINTS,
        id2label=dict(enumerate(CATEGORIES)), label2id={name: i for i, name in enumerate(CATEGORIES)},
    )  # fmt: skip
    model = Mask2FormerForUniversalSegmentation(config)
    if start is not None:
        _begin_from(model, Path(start))
    return model


def _begin_from(model, start: Path) -> None:
    """Give the model what an earlier one has learnt, or its backbone the detector's layers of the same names and shapes."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        trained = load_file(start / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise SettingsError(f"{start} holds no model to begin from: give the folder of a detector or a Mask2Former.") from error
    whole = model.state_dict()
    if trained.keys() == whole.keys() and all(trained[key].shape == value.shape for key, value in whole.items()):
        model.load_state_dict(trained)  # which turns what is stored in half precision into float32
        return
    ours = model.model.pixel_level_module.encoder.state_dict()
    named = {key.rsplit("model.", 1)[1]: value.float() for key, value in trained.items() if ".backbone." in key}
    same = {key: named[key] for key, value in ours.items() if key in named and named[key].shape == value.shape}
    if not same:
        raise SettingsError(f"The model in {start} has another backbone: leave it out, or give the lite DETR or Mask2Former.")
    model.model.pixel_level_module.encoder.load_state_dict(ours | same)


# --- data --------------------------------------------------------------------------------------------------------


def small_maps(maps: np.ndarray, side: int) -> np.ndarray:
    """Which object each pixel shows, in pictures shrunk to `side` pixels: uint8 [N, side, side].

    A pixel shows what the pixel at its centre shows.
    """
    places = ((np.arange(side) + 0.5) * maps.shape[1] / side).astype(int)
    return np.stack([shapes[np.ix_(places, places)] for shapes in maps])


def batch_maker(images: np.ndarray, maps: np.ndarray, categories: list[list[int]]):
    """(step, generator) -> pixels [B, 3, S, S], and for each picture its shapes [n, S, S] and their classes [n].

    images: uint8 [N, S, S, 3]; maps: uint8 [N, S, S], the number of the object that a pixel shows, from 1, or 0 for none;
    categories: those of each scene's objects, in that order. Half of the pictures are mirrored. Taught in notebook 07.
    """
    import torch

    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))

    def batches(step: int, generator: torch.Generator):
        rows = torch.randint(len(images), (BATCH,), generator=generator)
        mirrored = torch.rand(BATCH, generator=generator) < 0.5
        pixels, shapes, classes = [], [], []
        for row, mirror in zip(rows.tolist(), mirrored.tolist()):
            picture, numbers = torch.from_numpy(np.array(images[row])), torch.from_numpy(np.array(maps[row]))
            if mirror:
                picture, numbers = picture.flip(1), numbers.flip(1)
            shown = [n for n in range(1, len(categories[row]) + 1) if int((numbers == n).sum()) >= LEAST // 2]
            pixels.append((picture.permute(2, 0, 1).float() / 255 - mean) / std)
            shapes.append(torch.stack([numbers == n for n in shown]).float() if shown else torch.zeros(0, *numbers.shape))
            classes.append(torch.tensor([categories[row][n - 1] for n in shown], dtype=torch.long))
        return torch.stack(pixels), shapes, classes

    return batches


def loss(model, batch):
    """Mask2Former's own set loss, and its parts: class, mask (cross-entropy at points) and dice, over all layers.

    Queries and objects are matched by the cheapest pairing, as DETR's are. Cheng et al., 2022. Taught in notebook 07.
    """
    pixels, shapes, classes = batch
    output = model(pixel_values=pixels, mask_labels=shapes, class_labels=classes)
    return output.loss.squeeze(), {}


# --- training ----------------------------------------------------------------------------------------------------


def save(model, folder: Path | str) -> None:
    """Write the model (float16) and its image processor as `from_pretrained` reads them."""
    from transformers import Mask2FormerImageProcessorPil

    model.half().save_pretrained(folder)
    size = {"shortest_edge": SIDE, "longest_edge": 2 * SIDE}
    Mask2FormerImageProcessorPil(
        size=size, size_divisor=32, ignore_index=255, image_mean=list(MEAN), image_std=list(STD)
    ).save_pretrained(folder)


def train(
    out: Path | str, minutes: float, *, seed: int = 0, scenes: Path | str | None = None, count: int = SCENES,
    init: Path | str | None = None, scored: int = 1000, progress: bool = True,
) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save model, processor and card.

    scenes: where the drawn scenes are kept (default: inside `out`); count: how many of them; init: an earlier
    training of this model to go on from, or a detector whose backbone is the start (default: the lite one); scored: how
    many test scenes the evaluation at the end looks at. Returns what it measured. Taught in notebook 07.
    """
    import torch
    from safetensors.torch import load_file

    check_settings(minutes, count, seed)
    out, folder = Path(out), Path(scenes or Path(out) / "scenes")
    data = scene_cache(folder, "train", count, seed)
    maps = small_maps(shape_maps(folder, "train", count, seed, data.images.shape[1]), SIDE)
    images, categories = shrink(data.images, SIDE), _categories(count, seed)
    del data  # the large pictures
    torch.manual_seed(seed)
    start = Path(init or data_path("models", "lite", "detr"))
    model, begun = build(start), fingerprint(load_file(start / "model.safetensors"))
    done = run(
        model, batch_maker(images, maps, categories), loss, out / "training", minutes, 5e-4, name="mask2former",
        settings={"scenes": count, "side": SIDE, "batch": BATCH, "points": POINTS, "init": begun},
        warmup=200, hold=0.5, ema=0.998, seed=seed, progress=progress,
        lr_scale=lambda name: BACKBONE_RATE if "pixel_level_module.encoder" in name else 1.0,
    )  # fmt: skip
    save(done.model.float().cpu(), out)
    from .score_masks import score_queries

    results = score_queries(out, scored, progress=progress)
    write_card(
        out, run=done, results=results, targets={"iou": ">= 0.88"}, title="Mask2Former of the small world",
        what=f"A `Mask2FormerForUniversalSegmentation` with its image processor (short side {SIDE} pixels): a picture to the shapes and "
        f"categories of its objects. `iou` is the mean over all objects of {scored} unseen test scenes (seed 0) of the IoU of the "
        "shape that fits the object's box with what shows of the object, 0 where none fits; `found` is the share that has one.",
        command=f"textedit-lite train mask2former --minutes {minutes:g} --seed {seed} --count {count} --out DIR"
        + (" --init DIR" if init else ""),
        data=f"{count} drawn scenes (split train, seed {seed}), mirrored at random; "
        + ("begun from the weights of an earlier model" if init else "the backbone began as the lite DETR's"),
        limits=f"It knows the {len(CATEGORIES)} categories of this project's drawn world and has never seen a photograph.",
    )  # fmt: skip
    return results


def _categories(count: int, seed: int) -> list[list[int]]:
    """The classes of each training scene's objects, in the order in which `shape_maps` numbers them."""
    return [[CATEGORIES.index(thing.category) for thing in make_scene(i, "train", seed).objects] for i in range(count)]
