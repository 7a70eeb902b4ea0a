"""Trains the lite text-to-image UNet, which SDEdit and DiffEdit edit with, and holds what the two trainers of rivals share.

The other trainer is that of InstructPix2Pix (`instruct_pix2pix.py`). Both models see whole scenes, not windows around an
object, as the editors that use them do. Both go through the painter's autoencoder and text encoder, which stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..errors import SettingsError
from ..vocabulary import describe
from ..world.scenes import boxes, make_scene, render
from .card import write_card
from .clip import text_encoder
from .data import sample_files
from .files import whole
from .inpaint import caption_states, every_caption, noise_schedule, velocity_loss
from .loop import half_precision, run
from .settings import check_settings, fingerprint, origins
from .vae import load_vae

NATIVE = 128  # pixels a side of a whole scene; ideal edits shrunk to it and put through the autoencoder are all still read correctly
SAMPLES = 20_000
PART = 1000
BATCH = 16
MOST = 6  # objects of a scene
WORDS_DROPPED = 0.1  # captions left empty, for classifier-free guidance (Ho & Salimans, 2022)
WORDS_SHORTENED = 0.5  # captions that leave attributes out, as an edit's do: "a red car", "a car upside down"
ELSEWHERE = 0.15  # weight of the loss where the words say nothing; 1 on the object that they name


# --- what both trainers share ------------------------------------------------------------------------------------


def build(channels: int, text_width: int = 128):
    """An untrained UNet of Stable Diffusion's kind for whole scenes: 4 latent channels in, or 8 with those of a picture.

    The pooled caption enters with the time, as in the painter (`inpaint.build`). Taught in notebook 09.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=NATIVE // 4, in_channels=channels, out_channels=4, block_out_channels=(48, 80, 96), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), time_embedding_dim=128,
        cross_attention_dim=text_width, attention_head_dim=4, norm_num_groups=16, resnet_time_scale_shift="scale_shift",
        addition_embed_type="text", addition_embed_type_num_heads=4,
    )  # fmt: skip


def begin_from(unet, folder: Path | str) -> None:
    """Put the weights of a trained UNet into `unet`; in the first layer, only for the channels that both have, zeros elsewhere.

    InstructPix2Pix began from Stable Diffusion in this way (Brooks et al., 2023, section 3.2), with a picture's channels
    added. Raises SettingsError where the folder holds no UNet of this shape.
    """
    import torch
    from diffusers import UNet2DConditionModel

    advice = "give the folder of `train text2image` or `train instruct-pix2pix`"
    try:
        weights = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32).state_dict()
        first = weights["conv_in.weight"]
        fitted = torch.zeros_like(unet.conv_in.weight)
        common = min(first.shape[1], fitted.shape[1])
        fitted[:, :common] = first[:, :common]
        unet.load_state_dict({**weights, "conv_in.weight": fitted})
    except (OSError, LookupError, RuntimeError) as error:
        raise SettingsError(f"{folder} holds no weights to begin from ({str(error).splitlines()[0][:120]}): {advice}.") from error


def timesteps(count: int, generator):
    """Times of the diffusion, long [count]: half by lot, half about the middle, where shapes and colours are decided."""
    import torch

    middle = torch.sigmoid(torch.randn(count, generator=generator) + 0.4)
    anywhere = torch.rand(count, generator=generator)
    drawn = torch.where(torch.rand(count, generator=generator) < 0.5, middle, anywhere)
    return (drawn * 1000).long().clamp_(0, 999)


def encode(paths: list[Path], names: list[str], vae) -> dict:
    """All that the parts hold: the pictures `names` as latents, float16 [N, 4, h, h], kept beside them; the rest as it is."""
    import torch
    from tqdm import tqdm

    through = fingerprint(vae.state_dict())
    found: dict[str, list] = {}
    with torch.no_grad():
        for path in tqdm(paths, desc="encoding samples", unit="part"):
            cached = path.with_suffix(f".{through}.npz")
            if not cached.exists():
                with np.load(path) as stored:
                    arrays = {key: stored[key] for key in stored.files}
                for name in names:
                    latents = []
                    for at in range(0, len(arrays[name]), 50):
                        pixels = torch.from_numpy(arrays[name][at : at + 50]).permute(0, 3, 1, 2).float() / 127.5 - 1
                        with half_precision("cpu"):
                            code = vae.encode(pixels.contiguous(memory_format=torch.channels_last)).latents
                        latents.append((code.float() * vae.config.scaling_factor).half().contiguous())
                    arrays[name] = torch.cat(latents).numpy()
                with whole(cached) as half:
                    np.savez(half, **arrays)
            with np.load(cached) as stored:
                for key in stored.files:
                    found.setdefault(key, []).append(stored[key])
    return {key: np.concatenate(parts) for key, parts in found.items()}


def save(unet, pipeline: str, folder: Path | str) -> None:
    """Save a UNet and its schedule as a pipeline whose other parts are the painter's, and so are not stored again.

    `from_pretrained` of that pipeline loads it when it is given `vae`, `text_encoder` and `tokenizer`.
    """
    folder = Path(folder)
    unet.half().save_pretrained(folder / "unet", safe_serialization=True)
    noise_schedule().save_pretrained(folder / "scheduler")
    index = {
        "_class_name": pipeline, "feature_extractor": [None, None], "image_encoder": [None, None],
        "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderTiny"],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def fit(unet, batches, states, out: Path, name: str, minutes: float, *, vae, clip, count: int, init, seed: int, progress: bool):
    """Train a UNet for whole scenes; returns what `loop.run` returns, with its model on the CPU and in float32.

    vae: the autoencoder; clip, init: folders, of which the second may be None; count: the number of samples asked for.
    """
    import torch
    from diffusers.models.attention_processor import AttnProcessor

    if init is not None:
        begin_from(unet, init)
    begun = origins(vae=vae, text_encoder=text_encoder(clip)[0], init=unet if init else None)
    unet.to(memory_format=torch.channels_last)
    unet.set_attn_processor(AttnProcessor())  # its backward pass is quicker on a CPU than that of the fused attention
    rate = 1e-3 if init is None else 5e-4  # lower, so that what an earlier run has learned is not lost
    done = run(
        unet, batches, velocity_loss(noise_schedule(), states), out / "training", minutes, rate, name=name,
        settings={"native": NATIVE, "batch": BATCH, "samples": count, **begun}, warmup=300, hold=0.35, ema=0.999, bf16=True,
        seed=seed, progress=progress,
    )  # fmt: skip
    done.model.float().to("cpu", memory_format=torch.contiguous_format)
    return done


# --- samples -----------------------------------------------------------------------------------------------------


def shrink(image) -> np.ndarray:
    """A scene as the UNets see it: uint8 [NATIVE, NATIVE, 3]."""
    from PIL import Image

    return np.asarray(image.resize((NATIVE, NATIVE), Image.Resampling.LANCZOS))


def _draw_part(job: tuple[Path, int, int]) -> None:
    """Draw scenes, with the caption and the box (in fractions) of each object; unused places of MOST are empty and zero."""
    path, part, seed = job
    if path.exists():
        return
    pictures, captions, places = [], np.full((PART, MOST), "", "U80"), np.zeros((PART, MOST, 4), np.float32)
    for row in range(PART):
        scene = make_scene(part * PART + row, "train", seed + 2)
        pictures.append(shrink(render(scene)))
        things = scene.objects
        captions[row, : len(things)] = [describe(one.category, one.colour, one.view, one.pose) for one in things]
        places[row, : len(things)] = boxes(scene) / (scene.width, scene.height, scene.width, scene.height)
    with whole(path) as half:
        np.savez(half, pictures=np.stack(pictures), captions=captions, places=places)


def place_weights(places, side: int):
    """1 inside of boxes (fractions, float [B, 4]), ELSEWHERE around them: float32 [B, 1, side, side]."""
    import torch

    at = (torch.arange(side) + 0.5) / side
    x0, y0, x1, y1 = (places[:, i, None] for i in range(4))
    across, down = (at >= x0) & (at < x1), (at >= y0) & (at < y1)
    inside = (down[:, :, None] & across[:, None, :])[:, None].float()
    return ELSEWHERE + (1 - ELSEWHERE) * inside


def batch_maker(latents, captions, places, shorter: np.ndarray):
    """A function (step, generator) -> one batch, as `inpaint.velocity_loss` takes it; in each scene, one object is named.

    latents: float16 [N, 4, h, h]; captions: indices, int [N, MOST], 0 for no object; places: float [N, MOST, 4].
    Taught in notebook 09.
    """
    import torch

    latents, captions, places, shorter = map(torch.from_numpy, (latents, captions, places, shorter))
    objects = (captions > 0).sum(1)

    def batches(step, generator):
        rows = torch.randint(len(latents), (BATCH,), generator=generator)
        which = (torch.rand(BATCH, generator=generator) * objects[rows]).long()
        caption, place = captions[rows, which], places[rows, which]
        lot = torch.rand(BATCH, generator=generator)
        some = shorter[caption, torch.randint(8, (BATCH,), generator=generator)]
        caption = torch.where(lot < WORDS_DROPPED + WORDS_SHORTENED, some, caption).masked_fill(lot < WORDS_DROPPED, 0)
        target = latents[rows].float()
        noise = torch.randn(target.shape, generator=generator)
        return target, target[:, :0], place_weights(place, target.shape[-1]), caption, timesteps(BATCH, generator), noise

    return batches


# --- training ----------------------------------------------------------------------------------------------------


def train(out: Path | str, minutes: float, *, vae: Path | str, clip: Path | str, seed: int = 0, scenes: Path | str | None = None,
          count: int = SAMPLES, init: Path | str | None = None, progress: bool = True) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save UNet, schedule and card there.

    vae, clip: folders of the trained autoencoder and CLIP, which stay as they are. scenes: folder of drawn samples.
    init: folder of an earlier training whose UNet is trained further. Taught in notebook 09.
    """
    import torch

    check_settings(minutes, count, seed)
    out = Path(out)
    captions, shorter = every_caption()
    index = {text: i for i, text in enumerate(captions)}
    autoencoder = load_vae(vae)
    paths = sample_files(_draw_part, scenes or out / "samples", "text2image", PART, count, seed)
    data = encode(paths, ["pictures"], autoencoder)
    named = np.vectorize(index.__getitem__, otypes=[np.int64])(data["captions"])
    states = caption_states(clip, captions)
    torch.manual_seed(seed)
    unet = build(4, states.shape[-1])
    batches = batch_maker(data["pictures"], named, data["places"], shorter)
    done = fit(unet, batches, states, out, "text2image", minutes, vae=autoencoder, clip=clip, count=count, init=init, seed=seed,
               progress=progress)  # fmt: skip
    save(done.model, "StableDiffusionImg2ImgPipeline", out)
    results = {"loss": round(done.losses.get("loss", float("nan")), 4)}
    write_card(
        out, run=done, results=results, title="The text-to-image model of the small world",
        what="A 4-channel `UNet2DConditionModel` that draws whole scenes of the small world, "
        f"{NATIVE}x{NATIVE} pixels, with an object in them as a caption says; it predicts velocity over a schedule that ends in "
        "pure noise. Autoencoder and text encoder are the painter's, and are not stored again. SDEdit and DiffEdit edit with it; "
        "what that is worth, `textedit-lite evaluate --editor sdedit` measures.",
        command=f"textedit-lite train text2image --minutes {minutes:g} --seed {seed} --count {count} --vae DIR --clip DIR --out DIR"
        + (" --init DIR" if init else ""),
        data=f"{len(named)} drawn scenes (split train, seed {seed + 2}), {NATIVE}x{NATIVE} pixels; a caption names one object, half of "
        "the captions with all that is known of it" + ("; begun from the weights of an earlier run" if init else ""),
        limits="It knows scenes of this project's drawn world. A caption says nothing of the other objects of a scene, which may "
        "be any.",
    )  # fmt: skip
    return results
