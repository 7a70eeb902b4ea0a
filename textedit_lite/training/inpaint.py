"""Trains the lite painter: a 9-channel UNet that fills a masked crop with the object that a caption describes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from ..boxes import GROW, context_window, grow_box
from ..vocabulary import COLOURS, POSES, TILT_DEGREES, VIEWS, describe
from ..world.scenes import changed, full_mask, make_scene, mask_box, render, visible_masks
from .card import write_card
from .clip import text_encoder
from .data import sample_files
from .files import whole
from .loop import compiled, half_precision, run
from .settings import check_settings, fingerprint, origins
from .vae import drop_needless_keys, load_vae

NATIVE = 112  # pixels a side of the crop that the painter works on
SAMPLES = 40_000
ASKED = ((), ("view",), ("pose",), ("view", "pose"))  # what an edit changes besides the colour,
ASKED_SHARES = (0.1, 0.68, 0.14, 0.08)  # and how often: a new view has no sketch, so it must be learned best,
TURNED = 0.7  # and this share of the objects is turned to the side first, as most edits ask to see the front
PART = 2000
BATCH = 16
WORDS_DROPPED = 0.1  # captions left empty, for classifier-free guidance (Ho & Salimans, 2022)
WORDS_SHORTENED = 0.1  # captions that leave some attributes out, as a user's words may


# --- samples -----------------------------------------------------------------------------------------------------


def sample_window(scene, index: int, box, rng: np.random.Generator):
    """One training sample: what the crop of an ideal edit of object `index` looks like once it is pasted back.

    The mask is grown from the box of the object AS IT IS, as in an edit, and the object inside is drawn as the caption
    asks; outside of the mask the scene stays. Returns (uint8 [NATIVE, NATIVE, 3], bool mask [NATIVE, NATIVE], caption).
    Taught in notebook 09.
    """
    from PIL import Image

    thing = scene.objects[index]
    change = {"colour": str(rng.choice(COLOURS)), "view": thing.view, "pose": thing.pose}
    asked = ASKED[int(rng.choice(len(ASKED), p=ASKED_SHARES))]
    for name in asked:
        others = [value for value in (VIEWS if name == "view" else POSES) if value != change[name]]
        change[name] = str(rng.choice(others))
    turn = TILT_DEGREES if change["pose"] != thing.pose and change["pose"] == "tilted" else 0.0
    jitter = rng.normal(0, 0.012, 4) * max(box[2] - box[0], box[3] - box[1])  # a detector's boxes are not exact
    # Mostly the mask that the editor builds, so that its size tells where the object goes; sometimes another one.
    grow = GROW * (rng.uniform(0.95, 1.06) if rng.random() < 0.85 else rng.uniform(0.6, 1.6))
    region = grow_box(np.asarray(box) + jitter, (scene.width, scene.height), grow, turn, square="view" in asked)
    window = context_window(region, (scene.width, scene.height))
    before = render(scene, window)
    after = render(changed(scene, index, **change), window)
    mask = Image.new("L", before.size)
    mask.paste(255, tuple(int(v) for v in (region[0] - window[0], region[1] - window[1], region[2] - window[0], region[3] - window[1])))
    before.paste(after, (0, 0), mask)
    size = (NATIVE, NATIVE)
    pixels = np.asarray(before.resize(size, Image.Resampling.LANCZOS))
    return pixels, np.asarray(mask.resize(size, Image.Resampling.BILINEAR)) >= 128, describe(thing.category, **change)


def _draw_part(job: tuple[Path, int, int]) -> None:
    """Draw one part of the samples; a part is there in full or not at all."""
    path, part, seed = job
    if path.exists():
        return
    rng = np.random.default_rng([seed, part, 7])
    pictures, masks, captions = [], [], []
    index = part * PART  # a scene gives about six samples, so no scene of one part occurs in another
    while len(pictures) < PART:
        scene = make_scene(index, "train", seed + 1)
        scene = replace(scene, objects=tuple(replace(o, view="side") if rng.random() < TURNED else o for o in scene.objects))
        index += 1
        visible = visible_masks(scene)
        for i in range(len(scene.objects)):
            box = mask_box(visible[i])
            if visible[i].sum() < 0.75 * full_mask(scene, i).sum() or min(box[2] - box[0], box[3] - box[1]) < 12:
                continue  # the painter would have to guess what others hide
            for _ in range(2):
                picture, mask, caption = sample_window(scene, i, box, rng)
                pictures.append(picture)
                masks.append(mask)
                captions.append(caption)
    with whole(path) as half:
        np.savez(half, pictures=np.stack(pictures[:PART]), masks=np.packbits(np.stack(masks[:PART]), axis=None),
                 captions=np.array(captions[:PART]))  # fmt: skip


def draw_samples(folder: Path | str, count: int, seed: int = 0) -> list[Path]:
    """Draw at least `count` crops of ideal edits into `folder`; those that are there already are kept."""
    return sample_files(_draw_part, folder, "inpaint", PART, count, seed)


class Samples:
    """Encoded samples, from which the UNet learns.

    In float16: `target`, `masked` [N, 4, h, h], `mask` [N, 1, h, h]; and `caption` [N].
    """

    def __init__(self, paths: list[Path], vae, caption_index: dict[str, int]):
        import torch
        import torch.nn.functional as F
        from tqdm import tqdm

        parts: dict[str, list] = {"target": [], "masked": [], "mask": [], "caption": []}
        side, through = NATIVE // 4, fingerprint(vae.state_dict())
        with torch.no_grad():
            for path in tqdm(paths, desc="encoding samples", unit="part"):
                cached = path.with_suffix(f".{through}.npz")
                if not cached.exists():
                    with np.load(path) as stored:
                        pictures, captions = stored["pictures"], stored["captions"]
                        masks = np.unpackbits(stored["masks"], count=len(pictures) * NATIVE * NATIVE)
                    masks = masks.reshape(-1, 1, NATIVE, NATIVE)
                    target, masked, small = [], [], []
                    for at in range(0, len(pictures), 50):
                        pixels = torch.from_numpy(pictures[at : at + 50]).permute(0, 3, 1, 2).float() / 127.5 - 1
                        mask = torch.from_numpy(masks[at : at + 50]).float()
                        both = torch.cat([pixels, pixels * (mask < 0.5)]).contiguous(memory_format=torch.channels_last)
                        with half_precision("cpu"):
                            latents = vae.encode(both).latents
                        latents = (latents.float() * vae.config.scaling_factor).half()
                        target.append(latents[: len(pixels)].contiguous())
                        masked.append(latents[len(pixels) :].contiguous())
                        small.append(F.interpolate(mask, (side, side)).half())
                    with whole(cached) as half:
                        np.savez(half, target=torch.cat(target), masked=torch.cat(masked), mask=torch.cat(small), caption=captions)
                with np.load(cached) as stored:
                    for key in ("target", "masked", "mask"):
                        parts[key].append(torch.from_numpy(stored[key]))
                    parts["caption"].append(torch.tensor([caption_index[text] for text in stored["caption"].tolist()]))
        self.target, self.masked, self.mask, self.caption = (torch.cat(parts[key]) for key in ("target", "masked", "mask", "caption"))


# --- model -------------------------------------------------------------------------------------------------------


def build(text_width: int = 128):
    """An untrained UNet of Stable Diffusion's inpainting kind: latents + mask + masked latents, 9 channels in, 4 out.

    Besides cross-attention, the pooled caption enters together with the time (`addition_embed_type="text"`, as in Imagen):
    with so little training that is what makes a small UNet listen to its words. Taught in notebook 09.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=NATIVE // 4, in_channels=9, out_channels=4, block_out_channels=(64, 96, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width, attention_head_dim=4, norm_num_groups=16, resnet_time_scale_shift="scale_shift",
        addition_embed_type="text", addition_embed_type_num_heads=4,
    )  # fmt: skip


def noise_schedule():
    """DDIM over Stable Diffusion's betas, rescaled to end in pure noise (Lin et al., 2024); the model predicts velocity.

    Taught in notebook 09.
    """
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True,
        steps_offset=1,  # unused with this spacing, but the pipeline asks for it
    )  # fmt: skip


def every_caption() -> tuple[list[str], np.ndarray]:
    """All captions of one object, the empty one first, and for each the indices of its shorter versions: int [captions, 8].

    Taught in notebook 09.
    """
    from ..world.sprites import CATEGORIES

    full = list(product(CATEGORIES, (None, *COLOURS), (None, *VIEWS), (None, *POSES)))
    captions = ["", *(describe(*words) for words in full)]
    index = {text: i for i, text in enumerate(captions)}
    shorter = np.zeros((len(captions), 8), np.int64)
    for words in full:
        for k, keep in enumerate(product((True, False), repeat=3)):
            parts = [part if kept else None for part, kept in zip(words[1:], keep)]
            shorter[index[describe(*words)], k] = index[describe(words[0], *parts)]
    return captions, shorter


def timesteps(count: int, generator):
    """Times of the diffusion, long [count]: more in the middle, where the object's shape and its parts are decided.

    There edits go wrong: when half of the training was above 0.7, and painting started from the ideal picture noised to 0.3,
    0.6, 0.8 and 1 of the way, 100, 71, 44 and 44 % of 48 new views came out right. In the last sixth all is noise.
    """
    import torch

    drawn = torch.sigmoid(torch.randn(count, generator=generator) * 1.1 + 0.3)
    uniform = torch.rand(count, generator=generator)
    drawn = torch.where(torch.rand(count, generator=generator) < 0.25, uniform, drawn)
    return (drawn * 1000).long().clamp_(0, 999)


def velocity_loss(schedule, states):
    """The loss of a batch: mean squared error of the velocity (Salimans & Ho, 2022), weighted by place.

    A batch: latents [B, 4, h, h]; what the UNet sees beside the noise [B, c, h, h], here the mask and the masked latents;
    weights [B, 1, h, h]; the captions' indices into `states` [B]; times [B]; noise like the latents. Taught in notebook 09.
    """
    import torch

    call = compiled()

    def loss(model, batch):
        target, beside, weight, caption, t, noise = batch
        noisy = schedule.add_noise(target, noise, t)
        velocity = schedule.get_velocity(target, noise, t)
        words = states.to(target.device)[caption].float()
        predicted = call(model, torch.cat([noisy, beside], 1), t, words, return_dict=False)[0].float()
        error = ((predicted - velocity).square() * weight).sum()
        return error / (weight.sum() * velocity.shape[1]), {}

    return loss


def batch_maker(samples: Samples, shorter: np.ndarray):
    """A function (step, generator) -> one batch, as `velocity_loss` takes it; the weight is ten times higher inside of the mask.

    Taught in notebook 09.
    """
    import torch

    shorter = torch.from_numpy(shorter)

    def batches(step, generator):
        rows = torch.randint(len(samples.target), (BATCH,), generator=generator)
        caption = samples.caption[rows]
        lot = torch.rand(BATCH, generator=generator)
        some = shorter[caption, torch.randint(8, (BATCH,), generator=generator)]
        caption = torch.where(lot < WORDS_DROPPED + WORDS_SHORTENED, some, caption).masked_fill(lot < WORDS_DROPPED, 0)
        target, mask = samples.target[rows].float(), samples.mask[rows].float()
        noise = torch.randn(target.shape, generator=generator)
        beside = torch.cat([mask, samples.masked[rows].float()], 1)
        return target, beside, 0.1 + 0.9 * mask, caption, timesteps(BATCH, generator), noise

    return batches


def caption_states(clip: Path | str, captions: list[str]):
    """The text encoder's states for captions, as the pipeline makes them: float32 [captions, tokens, width].

    Taught in notebook 09.
    """
    import torch

    encoder, tokenizer = text_encoder(clip)
    ids = tokenizer(captions, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt")
    with torch.no_grad():
        return torch.cat([encoder(part).last_hidden_state for part in ids.input_ids.split(64)])


def assemble(unet, vae, clip: Path | str, folder: Path | str) -> None:
    """Save a StableDiffusionInpaintPipeline made of the parts, in float16, with CLIP's text encoder."""
    from diffusers import StableDiffusionInpaintPipeline

    encoder, tokenizer = text_encoder(clip)
    pipeline = StableDiffusionInpaintPipeline(
        vae=vae.half(), text_encoder=encoder.half(), tokenizer=tokenizer, unet=unet.half(),
        scheduler=noise_schedule(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder, safe_serialization=True)
    drop_needless_keys(Path(folder) / "vae")


def train(out: Path | str, minutes: float, *, vae: Path | str, clip: Path | str, seed: int = 0, scenes: Path | str | None = None,
          count: int = SAMPLES, init: Path | str | None = None, progress: bool = True) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save the whole pipeline and its card there.

    vae, clip: folders of the trained autoencoder and CLIP, which stay as they are. scenes: folder of drawn samples.
    init: folder of a trained pipeline whose UNet training goes on from (learned on latents of the same autoencoder).
    Taught in notebook 09.
    """
    import torch
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor

    check_settings(minutes, count, seed)
    out = Path(out)
    captions, shorter = every_caption()
    autoencoder = load_vae(vae)
    samples = Samples(draw_samples(Path(scenes or out / "samples"), count, seed), autoencoder, {text: i for i, text in enumerate(captions)})
    states = caption_states(clip, captions)
    torch.manual_seed(seed)
    unet = build(states.shape[-1])
    if init is not None:
        unet.load_state_dict(UNet2DConditionModel.from_pretrained(init, subfolder="unet", torch_dtype=torch.float32).state_dict())
    begun = origins(vae=autoencoder, text_encoder=text_encoder(clip)[0], init=unet if init else None)
    unet.to(memory_format=torch.channels_last)
    unet.set_attn_processor(AttnProcessor())  # its backward pass is quicker on a CPU than that of the fused attention
    rate = 1e-3 if init is None else 5e-4  # lower, so that what an earlier run has learned is not lost
    done = run(
        unet, batch_maker(samples, shorter), velocity_loss(noise_schedule(), states), out / "training", minutes, rate,
        name="inpaint", settings={"native": NATIVE, "batch": BATCH, "samples": count, **begun}, warmup=300, hold=0.35, ema=0.9995,
        bf16=True, seed=seed, progress=progress,
    )  # fmt: skip
    assemble(done.model.float().to("cpu", memory_format=torch.contiguous_format), autoencoder, clip, out)
    results = {"loss": round(done.losses.get("loss", float("nan")), 4)}
    write_card(
        out, run=done, results=results, title="The painter of the small world",
        what="A `StableDiffusionInpaintPipeline`: a 9-channel `UNet2DConditionModel` that predicts velocity over a schedule that "
        "ends in pure noise, CLIP's text encoder, and the small autoencoder. It repaints the masked part of a crop of "
        f"{NATIVE}x{NATIVE} pixels so that a caption is true there. What an edit with it is worth, `textedit-lite score editor` "
        "measures; the loss is the mean squared error of the velocity at the end of training.",
        command=f"textedit-lite train inpaint --minutes {minutes:g} --seed {seed} --count {count} --vae DIR --clip DIR --out DIR"
        + (" --init DIR" if init else ""),
        data=f"{len(samples.target)} crops of ideal edits (split train, seed {seed + 1}): the mask is grown from the object as it "
        "was (a square, if it is to be seen from another side), the object inside is drawn as the caption says"
        + ("; begun from the weights of an earlier run" if init else ""),
        limits="It paints one object of the small world at a time, into masks shaped like boxes, at the scale of its training "
        "(the mask fills three quarters of the crop). What lies behind a neighbour that the mask covers it has to guess.",
    )  # fmt: skip
    return results
