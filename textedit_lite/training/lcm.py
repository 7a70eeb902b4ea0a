"""Distils the lite painter into a LoRA with which it paints in four steps, and without guidance.

It is latent consistency distillation (Luo et al., 2023; Song et al., 2023). The noise schedule is cut into as many pieces
as the student is to take steps (Heek et al., 2024; Wang et al., 2024): from anywhere in a piece it jumps to that piece's
end. As in LCM-LoRA (Luo et al., 2023), the student is the teacher plus changes of low rank (Hu et al., 2021); only these
changes are stored.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import SettingsError
from ..models import PREFERRED
from ..resources import data_path
from .card import write_card
from .clip import text_encoder
from .inpaint import BATCH, NATIVE, SAMPLES, Samples, caption_states, draw_samples, every_caption, noise_schedule
from .inpaint import batch_maker as samples_by_lot
from .loop import compiled, run
from .settings import check_settings, origins
from .vae import load_vae

STEPS = 4  # steps of the student, and pieces of the schedule
SKIP = 125  # k of the paper: the teacher leads at most that far with one step of DDIM, as when it paints in 8 steps itself
STARTS = 0.5  # share of times at the start of a piece, where the student steps from noise; others are anywhere, as sketches start
GUIDANCE = 3.5  # of the teacher; the student paints as if it had it. Mostly what the editor asks for in a first round
RANK = 6  # of the change of each layer's weights
COLD = 0.3  # half of the starts are from noise of this temperature, the editor's first; for the others it is from here to 1
FINE = 12  # steps of the teacher that the student's few steps are measured against,
MEASURED = 32  # and on how many of the crops that the student learned from
FOLLOW = 0.95  # how slowly the target follows the student (mu of the paper)
HUBER = 1e-3
RATE = 1e-3


# --- the consistency function ------------------------------------------------------------------------------------


def jump(latents, velocity, t, s, schedule):
    """One step of DDIM (Song et al., 2021) along a velocity, from times t to times s: latents [B, 4, h, h].

    x_s = a_s x0 + b_s e, where x0 = a_t x - b_t v and e = b_t x + a_t v, and a and b are the shares of signal and noise.
    t and s: long [B], up to 999; -1 stands for the picture without noise. From t to t it is the identity, whatever the
    velocity. So the boundary condition of a consistency function holds by itself, without the scalings c_skip and c_out.
    Taught in notebook 09.
    """
    import torch

    kept = schedule.alphas_cumprod.to(latents.device)  # from whichever device noise was last added on
    signal = torch.cat([kept.new_ones(1), kept])
    (a_t, b_t), (a_s, b_s) = ((signal[at + 1].sqrt()[:, None, None, None], (1 - signal[at + 1]).sqrt()[:, None, None, None])
                              for at in (t, s))  # fmt: skip
    return a_s * (a_t * latents - b_t * velocity) + b_s * (b_t * latents + a_t * velocity)


def piece_end(t, pieces: int = STEPS):
    """The time at the end of the piece of the schedule in which t lies, long [B]: the student jumps there from t.

    With one piece all times lead to the picture itself (-1), as in LCM; with four, times 0 to 249 do, 250 to 499 lead to 249, ...
    Taught in notebook 09.
    """
    width = 1000 // pieces
    return t // width * width - 1


def student_of(teacher, rank: int = RANK):
    """A copy of the teacher whose weights W are W0 + B A in every layer, where A has `rank` rows, and B begins as zeros.

    Only A and B are trained (Hu et al., 2021): for a layer with n inputs and m outputs, r (n + m) numbers in place of n m.
    For a convolution, n counts its whole window. Taught in notebook 09.
    """
    import copy

    from torch import nn
    from torch.nn.utils import parametrize

    class LowRank(nn.Module):
        def __init__(self, weight):
            super().__init__()
            rows, columns = len(weight), weight[0].numel()
            self.down = nn.Parameter(nn.init.kaiming_uniform_(weight.new_empty(rank, columns), a=5**0.5))
            self.up = nn.Parameter(weight.new_zeros(rows, rank))

        def forward(self, weight):
            return weight + (self.up @ self.down).view_as(weight)

    student = copy.deepcopy(teacher).requires_grad_(False)
    for module in [one for one in student.modules() if isinstance(one, nn.Linear | nn.Conv2d)]:
        parametrize.register_parametrization(module, "weight", LowRank(module.weight))
    return student


def low_rank_weights(student) -> dict:
    """The changes to a student's layers, named as in LoRA files: A as `lora_A`, B as `lora_B`, by layer.

    A is [r, n] for a linear layer and [r, channels, h, w] for a convolution, B [m, r] and [m, r, 1, 1].
    """
    found = {}
    for name, module in student.named_modules():
        if hasattr(module, "parametrizations"):
            one, shape = module.parametrizations.weight[0], module.weight.shape[1:]
            found[f"{name}.lora_A.weight"] = one.down.detach().view(-1, *shape)
            found[f"{name}.lora_B.weight"] = one.up.detach().view(*one.up.shape, *[1] * (len(shape) - 1))
    return found


def pair(student):
    """The student and its running average, the target, which no gradient reaches; both are checkpointed."""
    import copy

    from torch import nn

    return nn.ModuleDict({"student": student, "target": copy.deepcopy(student).requires_grad_(False)})


def distillation_loss(schedule, teacher, states):
    """The loss of a batch: how far apart the jumps end that start from two neighbours on the teacher's path.

    x_t is noised data. The teacher, guided by g = GUIDANCE, v = v_0 + g (v_c - v_0), leads it back to x_n, by SKIP times or
    to the end of the piece. f jumps to the end of the piece (Luo et al., 2023, eq. 14 to 17). The student's f(x_t) should
    be the target's f(x_n); their difference is measured by pseudo-Huber, sqrt(d^2 + c^2) - c, weighted by place.
    Strides are long, so that no target depends on more than one guess of the target network.
    Taught in notebook 09.
    """
    import torch

    call = compiled()

    def loss(models, batch):
        target, seen, weight, caption, t, noise = batch
        words = states.to(target.device)

        def velocity(name, latents, at):
            return call(models[name], torch.cat([latents, seen], 1), at.clamp(min=0), words[caption], return_dict=False)[0].float()

        noisy, end = schedule.add_noise(target, noise, t), piece_end(t)
        before = torch.maximum(t - SKIP, end)
        with torch.no_grad():
            follow(models["target"], models["student"])
            both = torch.cat([noisy, seen], 1).repeat(2, 1, 1, 1)
            told = words[torch.cat([caption, torch.zeros_like(caption)])]  # the words, and none
            led, plain = call(teacher.to(target.device), both, t.repeat(2), told, return_dict=False)[0].float().chunk(2)
            nearer = jump(noisy, plain + GUIDANCE * (led - plain), t, before, schedule)
            wanted = jump(nearer, velocity("target", nearer, before), before, end, schedule)
        error = jump(noisy, velocity("student", noisy, t), t, end, schedule) - wanted
        error = (error.square() + HUBER**2).sqrt() - HUBER
        return (error * weight).sum() / (weight.sum() * error.shape[1]), {}

    return loss


def follow(target, student) -> None:
    """target <- FOLLOW x target + (1 - FOLLOW) x student, for what is trained. Taught in notebook 09."""
    import torch

    pairs = [(one, own.detach()) for one, own in zip(target.parameters(), student.parameters()) if own.requires_grad]
    torch._foreach_lerp_(*map(list, zip(*pairs)), 1 - FOLLOW)


def batch_maker(samples: Samples, shorter: np.ndarray):
    """A function (step, generator) -> one batch, as `distillation_loss` takes it: the painter's own, except for times and noise.

    In STARTS of the cases the time is the start of a piece, and the noise is as cold as where the editor paints from noise
    alone. Otherwise the time is any and the noise is as usual, as sketches start. Taught in notebook 09.
    """
    import torch

    plain = samples_by_lot(samples, shorter)

    def batches(step, generator):
        *rest, _, noise = plain(step, generator)
        start = torch.randint(1, STEPS + 1, (BATCH,), generator=generator) * (1000 // STEPS) - 1
        anywhere = torch.randint(1000, (BATCH,), generator=generator)
        begins, cold, warmth = torch.rand(3, BATCH, generator=generator)
        temperature = torch.where(cold < 0.5, COLD, COLD + (1 - COLD) * warmth).masked_fill(begins >= STARTS, 1.0)
        return *rest, torch.where(begins < STARTS, start, anywhere), temperature[:, None, None, None] * noise

    return batches


# --- how near the student comes ----------------------------------------------------------------------------------


def painted(unet, samples: Samples, rows: slice, states, steps: int, schedule, guidance: float = 1.0, seed: int = 0):
    """Latents that a UNet, teacher or student, paints for some samples from cold noise: float32 [N, 4, h, h].

    By DDIM from noise of the temperature COLD, which is the same for the same seed whoever paints; guidance: by a second
    pass without words, which a student does not need. Taught in notebook 09.
    """
    import torch

    seen = torch.cat([samples.mask[rows], samples.masked[rows]], 1).float()
    words, count = states[samples.caption[rows]], len(seen)
    latents = COLD * torch.randn(samples.target[rows].shape, generator=torch.Generator().manual_seed(seed))
    times = [*(np.arange(1000, 0, -1000 / steps).round().astype(int) - 1).tolist(), -1]
    with torch.inference_mode():
        for now, then in zip(times, times[1:]):
            t, s = torch.full((count,), now), torch.full((count,), then)
            velocity = unet(torch.cat([latents, seen], 1), t, words, return_dict=False)[0]
            if guidance != 1:
                plain = unet(torch.cat([latents, seen], 1), t, states[:1].expand(count, -1, -1), return_dict=False)[0]
                velocity = plain + guidance * (velocity - plain)
            latents = jump(latents, velocity, t, s, schedule)
    return latents


def nearness(teacher, student, samples: Samples, states, schedule, count: int = MEASURED) -> dict[str, float]:
    """How near the student comes to the teacher.

    `apart`: mean squared distance inside of the mask between what the student paints in STEPS steps and the teacher in FINE.
    Both start from the same noise, on the first `count` training samples; it is measured in latents, whose variance is about
    1. `teacher_apart`: the same for the teacher in as few steps as the student. Taught in notebook 09.
    """
    rows = slice(0, count)
    fine = painted(teacher, samples, rows, states, FINE, schedule, GUIDANCE)
    mask = samples.mask[rows].float()

    def apart(unet, guidance: float) -> float:
        error = (painted(unet, samples, rows, states, STEPS, schedule, guidance) - fine).square() * mask
        return round(float(error.sum() / (mask.sum() * error.shape[1])), 5)

    return {"apart": apart(student, 1.0), "teacher_apart": apart(teacher, GUIDANCE)}


# --- training ----------------------------------------------------------------------------------------------------


def train(out: Path | str, minutes: float, *, vae: Path | str, clip: Path | str, seed: int = 0, scenes: Path | str | None = None,
          count: int = SAMPLES, init: Path | str | None = None, progress: bool = True) -> dict:  # fmt: skip
    """Distil a painter for `minutes` into `out` (goes on with what is there), save the LoRA and its card there.

    init: folder of the painter that teaches (by default the shipped one); the LoRA can be put on that painter alone.
    vae, clip: its autoencoder and the CLIP that it reads with, which stay as they are. scenes: folder of drawn samples,
    the painter's own. `out` then is what a weights file calls `lcm` (`models.load_models`); its `painting.json` says how
    many steps the LoRA is for. Raises SettingsError where the teacher cannot be read. Taught in notebook 09.
    """
    import torch
    from diffusers import StableDiffusionInpaintPipeline
    from diffusers.models.attention_processor import AttnProcessor
    from torch import nn

    check_settings(minutes, count, seed)
    out = Path(out)
    teacher = read_teacher(data_path("models", "lite", "inpaint") if init is None else init)
    captions, shorter = every_caption()
    autoencoder = load_vae(vae)
    samples = Samples(draw_samples(Path(scenes or out / "samples"), count, seed), autoencoder, {text: i for i, text in enumerate(captions)})
    states = caption_states(clip, captions)
    torch.manual_seed(seed)
    models, begun = pair(student_of(teacher)), origins(vae=autoencoder, text_encoder=text_encoder(clip)[0], init=teacher)
    for unet in (teacher, *models.values()):
        unet.to(memory_format=torch.channels_last)
        unet.set_attn_processor(AttnProcessor())  # its backward pass is quicker on a CPU than that of the fused attention
    done = run(
        models, batch_maker(samples, shorter), distillation_loss(noise_schedule(), teacher, states), out / "training", minutes, RATE,
        name="lcm", hold=0.35, ema=0.999, bf16=True, seed=seed, progress=progress, settings={
            "native": NATIVE, "batch": BATCH, "pieces": STEPS, "skip": SKIP, "rank": RANK, "guidance": GUIDANCE, "samples": count, **begun,
        },
    )  # fmt: skip
    student = done.model["student"].float().to("cpu", memory_format=torch.contiguous_format)
    results = {"loss": round(done.losses.get("loss", float("nan")), 4)}
    results |= nearness(teacher.to("cpu"), student, samples, states, noise_schedule())
    changes = {name: weight.half().contiguous() for name, weight in low_rank_weights(student).items()}
    StableDiffusionInpaintPipeline.save_lora_weights(out, unet_lora_layers=changes)
    (out / PREFERRED).write_text(json.dumps({"steps": STEPS, "guidance": 1.0}) + "\n", encoding="utf-8")
    write_card(
        out, run=replace(done, model=nn.ParameterList(changes.values())), results=results,
        title="The few-step painter of the small world",
        what=f"A LoRA for the UNet of the painter that taught it, whose every layer it changes by a matrix of rank {RANK}: with it the "
        f"painter paints in {STEPS} steps of DDIM what it else paints in {FINE}, and, as a guidance of {GUIDANCE:g} is learned, too, "
        f"with one pass of its UNet a step, not two. Distilled for latent consistency, in {STEPS} pieces of the schedule. `apart` is "
        f"how far its {STEPS} steps lead from the teacher's {FINE}, from the same noise of temperature {COLD:g} (mean squared distance "
        f"of the latents inside of the mask, on the first {MEASURED} of its crops), `teacher_apart` how far as few of the teacher's do. "
        "What an edit with it is worth, `textedit-lite score editor --weights lite+lcm` measures.",
        command=f"textedit-lite train lcm --minutes {minutes:g} --seed {seed} --count {count} --vae DIR --clip DIR --out DIR"
        + (" --init DIR" if init else ""),
        data=f"{len(samples.target)} crops of ideal edits (split train, seed {seed + 1}), as its teacher's; half of the times are those "
        f"at which a piece starts, with noise of temperature {COLD:g} to 1",
        limits=f"What its teacher cannot paint, it cannot either. It is made for {STEPS} steps from noise: with more it comes no "
        "nearer to its teacher, with fewer it blurs. Guidance and negative prompts are not asked for again: there is no second pass.",
    )  # fmt: skip
    return results


def read_teacher(folder: Path | str):
    """The UNet of a trained painter, in float32, in eval mode and frozen. Raises SettingsError where it cannot be a teacher."""
    import torch
    from diffusers import UNet2DConditionModel

    advice = "give the folder of `train inpaint`"
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32)
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        raise SettingsError(f"{folder} holds no painter to learn from ({str(error).splitlines()[0][:120]}): {advice}.") from error
    if unet.config.in_channels != 9 or unet.config.time_cond_proj_dim:
        raise SettingsError(f"{folder} holds no painter that could teach, but a UNet of another kind: {advice}.")
    return unet.eval().requires_grad_(False)
