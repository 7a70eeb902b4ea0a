"""Trains the lite SAM: from a box and the window around it to the shape of the object that the box means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..boxes import CONTEXT, context_window, crop
from ..world.scenes import make_scene, visible_masks
from .card import write_card
from .data import scene_cache
from .files import whole
from .loop import run
from .settings import check_settings

SCENES = 8000
SIDE = 96  # pixels a side of the network's input; an object fills about three quarters of it
PATCH = 8
BATCH = 16
JITTER = 0.05  # standard deviation of a prompt's edges from the true ones, in sides of the box: a detector is not exact
FOCAL = 5.0  # weight of the focal loss against the dice loss
LEAST = 60  # pixels: from an object that shows less, no outline can be learned
MEAN = STD = (0.5, 0.5, 0.5)


def build():
    """An untrained `SamModel`: a ViT of 4 layers on 12x12 patches, and a two-layer mask decoder (1.4 M numbers).

    It answers a box with ONE mask (ask with `multimask_output=False`): a box is not ambiguous as a point is. The
    configuration's `context` says which window around the box it wants to see, in longest sides of the box.
    Taught in notebook 07.
    """
    import torch
    from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    layers, width = 4, 128
    vision = SamVisionConfig(
        hidden_size=width, output_channels=width, num_hidden_layers=layers, num_attention_heads=4, mlp_ratio=3.0,
        image_size=SIDE, patch_size=PATCH, use_rel_pos=False, window_size=0, global_attn_indexes=list(range(layers)),
        num_pos_feats=width // 2, initializer_range=0.05,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=width, image_size=SIDE, patch_size=PATCH)
    decoder = SamMaskDecoderConfig(
        hidden_size=width, mlp_dim=256, num_attention_heads=4, num_multimask_outputs=0, iou_head_hidden_dim=64
    )
    model = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder, context=CONTEXT))
    with torch.no_grad():
        # The library draws the positions' frequencies only for a checkpoint to overwrite; the paper's have a deviation of 1.
        fourier = model.shared_image_embedding.positional_embedding
        fourier.normal_().requires_grad_(False)
        # The encoder's own positions start as the same code; in the library they start at nothing.
        places = model.get_image_wide_positional_embeddings()[0].permute(1, 2, 0)
        model.vision_encoder.pos_embed.copy_(0.5 * places)
    return model


# --- data --------------------------------------------------------------------------------------------------------


def shape_maps(folder: Path | str, split: str, count: int, seed: int = 0, size: int = 256) -> np.ndarray:
    """Which object each pixel of the drawn scenes shows: uint8 [count, size, size], its number from 1, or 0 for none.

    Drawn once and kept beside the scenes. Taught in notebook 07.
    """
    from tqdm import tqdm

    path = Path(folder) / f"{split}-{seed}-{size}" / f"shapes-{count}.npy"
    if not path.exists():
        maps = np.zeros((count, size, size), np.uint8)
        for index in tqdm(range(count), desc=f"drawing {split} shapes", unit="scene", leave=False):
            for number, mask in enumerate(visible_masks(make_scene(index, split, seed, size)), 1):
                maps[index][mask > 0] = number
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as half:
            np.save(half, maps)
    return np.load(path, mmap_mode="r")


def objects_of(maps: np.ndarray) -> np.ndarray:
    """Every object that shows at least LEAST pixels: int64 [N, 6], (scene, number, x0, y0, x1, y1) of its visible part."""
    rows = []
    for index, shapes in enumerate(maps):
        for number in range(1, int(shapes.max()) + 1):
            ys, xs = np.nonzero(shapes == number)
            if len(xs) >= LEAST:
                rows.append((index, number, xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
    return np.array(rows, np.int64).reshape(-1, 6)


def jittered(box: np.ndarray, rng: np.random.Generator, size: tuple[int, int], spread: float = JITTER) -> np.ndarray:
    """The box with each edge moved a little, as a detector's is: float32 [4], at least 8 pixels wide and high.

    size: (width, height) of the picture; spread: the standard deviation of each edge, in sides of the box. Taught in notebook 07.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    moves = spread * rng.normal(0, 1, 4) * np.array([x1 - x0, y1 - y0] * 2)
    x0, y0, x1, y1 = np.clip(np.array([x0, y0, x1, y1]) + moves, 0, np.tile(size, 2))
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, max(8.0, x1 - x0) / 2, max(8.0, y1 - y0) / 2
    return np.array([cx - w, cy - h, cx + w, cy + h], np.float32)


def batch_maker(images: np.ndarray, maps: np.ndarray, objects: np.ndarray):
    """(step, generator) -> pixels [B, 3, SIDE, SIDE], boxes [B, 1, 4] in their pixels, shapes [B, SIDE, SIDE] in 0..1.

    Each example is the window around a jittered box of one object; half of them are mirrored. Taught in notebook 07.
    """
    import torch

    def example(row: np.ndarray, rng: np.random.Generator):
        index, number = row[:2]
        box = jittered(row[2:], rng, images.shape[2:0:-1])
        window = context_window(tuple(box), images.shape[2:0:-1])
        seen = crop(Image.fromarray(images[index]), window).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        # Outside of the picture, the pixels repeat its edge, and the shape is empty.
        shape = Image.fromarray((maps[index] == number).astype(np.uint8) * 255).crop(window)
        shape = shape.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        box = (box - np.array([window[0], window[1]] * 2)) * SIDE / (window[2] - window[0])
        pixels, shape = np.asarray(seen), np.asarray(shape)
        if rng.random() < 0.5:
            pixels, shape, box = pixels[:, ::-1], shape[:, ::-1], np.array([SIDE - box[2], box[1], SIDE - box[0], box[3]])
        return pixels, box, shape

    def batches(step: int, generator: torch.Generator):
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        some = [example(objects[i], rng) for i in rng.integers(len(objects), size=BATCH)]
        pixels, boxes, shapes = (np.stack(parts) for parts in zip(*some))
        pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
        return pixels, torch.from_numpy(boxes).float()[:, None], torch.from_numpy(shapes).float() / 255

    return batches


# --- the loss ----------------------------------------------------------------------------------------------------


def focal(logits, truth):
    """Cross-entropy weighted by how wrong each pixel is: mean of |t - p| (-t log p - (1 - t) log(1 - p)).

    For hard t it is the focal loss of Lin et al., 2017, with a gamma of 1; t may also be a share of a pixel. Taught in notebook 07.
    """
    import torch.nn.functional as F

    wrong = (truth - logits.sigmoid()).abs().detach()
    return (wrong * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")).mean()


def dice(logits, truth):
    """1 - 2 sum(p t) / (sum p^2 + sum t^2), the mean over masks [B, H, W]: large and small shapes count alike.

    Milletari et al., 2016. Taught in notebook 07.
    """
    guess = logits.sigmoid()
    shared = (guess * truth).sum((1, 2))
    return (1 - (2 * shared + 1) / (guess.square().sum((1, 2)) + truth.square().sum((1, 2)) + 1)).mean()


def mask_iou(logits, truth):
    """IoU of each mask, logits > 0 against truth > 1/2: float [B]."""
    a, b = logits > 0, truth > 0.5
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp(min=1)


def loss(model, batch):
    """SAM's loss: the focal and the dice loss of the mask, and the squared error of the IoU that the model expects of it.

    The mask is compared at the input's size, twice that of the decoder's answer, so that the answer's logits say where
    between two of its pixels the edge runs. Kirillov et al., 2023. Taught in notebook 07.
    """
    import torch.nn.functional as F

    pixels, boxes, truth = batch
    output = model(pixel_values=pixels, input_boxes=boxes, multimask_output=False)
    logits = F.interpolate(output.pred_masks[:, 0].float(), truth.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    right = mask_iou(logits.detach(), truth)
    parts = {
        "focal": FOCAL * focal(logits, truth), "dice": dice(logits, truth),
        "self": (output.iou_scores[:, 0, 0].float() - right).square().mean(),
    }  # fmt: skip
    return parts["focal"] + parts["dice"] + parts["self"], parts | {"iou": right.mean()}


# --- training ----------------------------------------------------------------------------------------------------


def save(model, folder: Path | str) -> None:
    """Write the model (float16) and its image processor as `from_pretrained` reads them."""
    from transformers import SamImageProcessorPil

    model.half().save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    small = SIDE * 4 // PATCH
    SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size=square, mask_size={"longest_edge": small},
        mask_pad_size={"height": small, "width": small}, image_mean=list(MEAN), image_std=list(STD),
    ).save_pretrained(folder)  # fmt: skip


def train(
    out: Path | str, minutes: float, *, seed: int = 0, scenes: Path | str | None = None, count: int = SCENES,
    scored: int = 1000, progress: bool = True,
) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save model, processor and card.

    scenes: where the drawn scenes are kept (default: inside `out`); count: how many of them; scored: how many test
    scenes the evaluation at the end looks at. Returns what it measured. Taught in notebook 07.
    """
    import torch

    check_settings(minutes, count, seed)
    out = Path(out)
    folder = Path(scenes or out / "scenes")
    images = scene_cache(folder, "train", count, seed).images
    maps = shape_maps(folder, "train", count, seed, images.shape[1])
    torch.manual_seed(seed)
    done = run(
        build(), batch_maker(images, maps, objects_of(maps)), loss, out / "training", minutes, 1.5e-3, name="sam",
        settings={"scenes": count, "side": SIDE, "batch": BATCH, "jitter": JITTER}, hold=0.3, ema=0.998, bf16=True,
        seed=seed, progress=progress,
    )  # fmt: skip
    save(done.model.float().cpu(), out)
    from .score_masks import score_sam

    results = score_sam(out, scored, progress=progress)
    write_card(
        out, run=done, results=results, targets={"iou": ">= 0.92"}, title="SAM of the small world",
        what=f"A `SamModel` with its `SamImageProcessor` ({SIDE} pixels a side): the window around a box, "
        f"{CONTEXT:.3g} times its longest side (`context` in config.json), and the box, to the shape of the object that the "
        "box means. It gives one mask a box: ask with `multimask_output=False`. `iou` is the mean over all objects of "
        f"{scored} unseen test scenes (seed 0) of the IoU of its mask with what shows of the object, from the true boxes with "
        "their edges jittered, `box` that of the jittered box itself; `above_0.9` and `below_0.7` are shares of the objects.",
        command=f"textedit-lite train sam --minutes {minutes:g} --seed {seed} --count {count} --out DIR",
        data=f"windows around the objects of {count} drawn scenes (split train, seed {seed}), mirrored at random; the edges of "
        f"the boxes moved by {JITTER:.0%} of the box (standard deviation)",
        limits="It knows the drawn objects of this project's small world and has never seen a photograph; what it was never "
        "shown (a box of two objects, of a part) it answers with what looks most like one of its objects.",
    )  # fmt: skip
    return results
