"""Trains the lite autoencoder: from pictures of the small world to latents of a quarter of the side, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .card import write_card
from .data import scene_cache
from .loop import run
from .settings import check_settings, origins

SCENES = 8000
CROP = 64  # pixels a side of a training crop; the network is convolutional, so it works at any size
BATCH = 16
AROUND_OBJECTS = 0.75  # share of the crops that look at an object, as the edges are there
SQUARED = 8.0  # weight of the squared error beside L1
LATENT_NOISE = 0.05  # makes neighbours in latent space decode alike, as sampling from a posterior does


def build():
    """An untrained AutoencoderTiny (TAESD's architecture) of factor 4 with 4 latent channels.

    Taught in notebook 09.
    """
    from diffusers import AutoencoderTiny

    return AutoencoderTiny(
        encoder_block_out_channels=(40, 40, 40), decoder_block_out_channels=(40, 40, 40),
        num_encoder_blocks=(0, 2, 3), num_decoder_blocks=(3, 2, 1), latent_channels=4,
    )  # fmt: skip


def crops(images: np.ndarray, centres: list[np.ndarray], generator):
    """A batch of crops at a random zoom, most of them around an object: float32 [BATCH, 3, CROP, CROP] in -1..1.

    images: uint8 [N, S, S, 3]; centres: the centres (x, y) of a scene's objects in pixels, one array per scene.
    Taught in notebook 09.
    """
    import torch
    import torch.nn.functional as F

    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    side = int(rng.integers(CROP * 3 // 4, CROP * 7 // 4))
    limit = images.shape[1] - side
    batch = []
    for i in rng.integers(len(images), size=BATCH):
        x, y = rng.integers(0, limit, 2)
        if rng.random() < AROUND_OBJECTS and len(centres[i]):
            x, y = np.clip(centres[i][rng.integers(len(centres[i]))] + rng.normal(0, side / 4, 2) - side / 2, 0, limit).astype(int)
        batch.append(images[i, y : y + side, x : x + side])
    pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    return F.interpolate(pixels, (CROP, CROP), mode="bicubic", antialias=True).clamp_(-1, 1)


def loss(model, pixels):
    """L1 of the picture + L1 of its gradients (edges matter most to the eye) + squared error + a light pull of the latents to 0.

    The squared error, which is what PSNR counts, is small beside the others except where a pixel is far off. Taught in notebook 09.
    """
    import torch

    with torch.set_grad_enabled(model.encoder.layers[0].weight.requires_grad):
        latents = model.encode(pixels).latents
    decoded = model.decode(latents + LATENT_NOISE * torch.randn_like(latents)).sample.float()
    value = (decoded - pixels).abs().mean()
    slope = sum((decoded.diff(dim=d) - pixels.diff(dim=d)).abs().mean() for d in (2, 3))
    total = value + 0.5 * slope + SQUARED * (decoded - pixels).square().mean() + 1e-3 * latents.float().square().mean()
    return total, {"l1": float(value.detach()), "edge": float(slope.detach())}


def latent_deviation(model, images: np.ndarray) -> float:
    """Standard deviation of the latents of some pictures, uint8 [N, H, W, 3]; its inverse is the scaling factor."""
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        return float(model.encode(pixels).latents.std())


def psnr(model, pixels) -> float:
    """Peak signal-to-noise ratio in dB of pictures, float32 [N, 3, H, W] in -1..1, sent there and back."""
    import torch

    with torch.no_grad():
        errors = [(model.decode(model.encode(part).latents).sample.clamp(-1, 1) - part).square().mean((1, 2, 3))
                  for part in pixels.split(16)]
    return float((10 * torch.log10(4 / torch.cat(errors))).mean())


def train(out: Path | str, minutes: float, *, seed: int = 0, scenes: Path | str | None = None, count: int = SCENES,
          init: Path | str | None = None, scored: int = 1000, progress: bool = True) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save model and card, and return the measured figures.

    init: a trained autoencoder whose decoder alone is trained further: its latents, which a painter may have been
    trained on, stay as they are. scenes: folder of drawn scenes, shared with the other trainers; count: how many.
    Taught in notebook 09.
    """
    import torch

    from .score import vae as score

    check_settings(minutes, count, seed)
    out = Path(out)
    data = scene_cache(scenes or out / "scenes", "train", count, seed)
    images = data.images
    centres = [np.array([[(o.box[0] + o.box[2]) / 2, (o.box[1] + o.box[3]) / 2] for o in objects]) for objects in data.objects]
    torch.manual_seed(seed)
    if init is None:
        model = build()
    else:
        model = load_vae(init)
        model.encoder.requires_grad_(False)
    done = run(
        model.to(memory_format=torch.channels_last), lambda step, generator: crops(images, centres, generator), loss, out / "training",
        minutes, 1.5e-3 if init is None else 1e-3, name="vae",
        settings={"scenes": count, "crop": CROP, "batch": BATCH, **origins(init=model if init else None)},
        hold=0.3 if init is None else 0.0, weight_decay=0.0, bf16=True, seed=seed, progress=progress,
    )  # fmt: skip
    model = done.model.float().to("cpu", memory_format=torch.contiguous_format)
    if init is None:
        model.register_to_config(scaling_factor=round(1 / latent_deviation(model, images[:64]), 4))
    save(model, out / "vae")
    results = score(out, scored, progress=progress) | {"latent_deviation": round(1 / model.config.scaling_factor, 3)}
    write_card(
        out, run=done, results=results, targets={"psnr": ">= 32"}, title="The autoencoder of the small world",
        what="An `AutoencoderTiny` (TAESD's architecture): a picture of HxW pixels to 4 latent channels of H/4xW/4, and back. "
        "`psnr` in dB is that of the painter's windows of 112x112 pixels around an object of each of "
        f"{scored} unseen test scenes (seed 0), sent there and back.",
        command=f"textedit-lite train vae --minutes {minutes:g} --seed {seed} --count {count} --out DIR" + (" --init DIR" if init else ""),
        data=f"crops of {CROP}x{CROP} pixels at 0.6 to 1.3 times their size, of {count} drawn scenes (split train, seed {seed})"
        + ("; the encoder stayed as it was" if init else ""),
        limits="It has seen drawn scenes only; photographs come back with their fine texture and their rarer colours changed.",
    )  # fmt: skip
    return results


def load_vae(folder: Path | str):
    """A trained autoencoder, in float32 and in eval mode."""
    import torch
    from diffusers import AutoencoderTiny

    return AutoencoderTiny.from_pretrained(folder, torch_dtype=torch.float32).eval()


def save(model, folder: Path) -> None:
    """Save the autoencoder in float16 as `AutoencoderTiny.from_pretrained` reads it."""
    model.half().save_pretrained(folder, safe_serialization=True)
    drop_needless_keys(folder)


def drop_needless_keys(folder: Path) -> None:
    """Remove from the configuration a key that AutoencoderTiny warns about when it reads it, and the path it was read from."""
    path = Path(folder) / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in settings.items() if key not in ("block_out_channels", "_name_or_path")}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
