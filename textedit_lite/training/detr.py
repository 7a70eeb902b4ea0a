"""Trains the lite detector: a small DETR, first densely on its encoder, then its decoder, then as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..world.sprites import CATEGORIES
from .card import write_card
from .data import Labelled, scene_cache
from .detr_score import check, score
from .settings import check_settings, origins

SCENES = 16_000
CHECKED = 300  # validation scenes looked at after each phase
BATCH = 16
MOST = 12  # objects that a picture may have
EXTENTS = (1.0, 1.0, 1.0, 1.33, 1.5, 1.75, 2.0)  # long sides of the joint phase's pictures, in short sides

# Each phase: what it trains, its share of the minutes, its peak learning rate, and for which share of its time the rate holds.
PHASES = (
    {"name": "dense", "share": 0.44, "lr": 1e-3, "hold": 0.75},
    {"name": "decoder", "share": 0.08, "lr": 5e-4, "hold": 0.7},
    {"name": "joint", "share": 0.48, "lr": 5e-4, "hold": 0.3},
)

PHASES_NOTE = """## Phases

First the encoder's tokens answer for the objects one by one (dense; its validation AP is after non-maximum
suppression). Then a decoder that starts as a sparse copy of that detector learns the set loss (decoder). Then all of it
is trained (joint).

| phase | steps | minutes | peak learning rate | validation AP | AP50 |
|---|---|---|---|---|---|
"""


# --- data --------------------------------------------------------------------------------------------------------


def shrink(images: Iterable[np.ndarray], side: int) -> np.ndarray:
    """Square pictures as the image processor resizes them: uint8 [N, side, side, 3]. Taught in notebook 09."""
    from PIL import Image

    small = [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)) for image in images]
    return np.stack(small)


def truth(scenes: list[list[Labelled]], size: int):
    """Padded truth: labels int64 [N, MOST] (-1 = none) and boxes float32 [N, MOST, 4], cxcywh in 0..1.

    Taught in notebook 09.
    """
    labels = np.full((len(scenes), MOST), -1, np.int64)
    boxes = np.zeros((len(scenes), MOST, 4), np.float32)
    for row, things in enumerate(scenes):
        for column, thing in enumerate(things[:MOST]):
            x0, y0, x1, y1 = thing.box
            labels[row, column] = CATEGORIES.index(thing.category)
            boxes[row, column] = np.array([x0 + x1, y0 + y1, 2 * (x1 - x0), 2 * (y1 - y0)]) / (2 * size)
    return labels, boxes


def batch_maker(images: np.ndarray, labels: np.ndarray, boxes: np.ndarray, extents: tuple[float, ...] = (1.0,)):
    """(step, generator) -> a random batch of normalised pictures with their truth, half of them mirrored.

    extents: the shapes to draw from, one per batch; a picture that is not square is made of one scene and a part of
    another beside or below it. Taught in notebook 09.
    """
    import torch

    from .detr_model import STRIDE, normalise

    images, labels, boxes = (torch.from_numpy(v) for v in (images, labels, boxes))

    def draw(generator: torch.Generator):
        rows = torch.randint(len(images), (BATCH,), generator=generator)
        mirrored = torch.rand(BATCH, generator=generator) < 0.5
        pixels, where = images[rows], boxes[rows].clone()
        pixels[mirrored] = pixels[mirrored].flip(2)
        where[mirrored, :, 0] = 1 - where[mirrored, :, 0]
        return pixels, labels[rows], where

    def batches(step: int, generator: torch.Generator):
        pixels, names, where = draw(generator)
        side = pixels.shape[1]
        extent = extents[int(torch.randint(len(extents), (), generator=generator))]
        more = round((extent - 1) * side / STRIDE) * STRIDE
        if more:
            across = bool(torch.rand((), generator=generator) < 0.5)
            pixels, names, where = lengthen((pixels, names, where), draw(generator), more / side, across)
        return normalise(pixels), names, where

    return batches


def lengthen(first, second, more: float, across: bool):
    """Pictures of `first` with the first `more` (0..1) of those of `second` to the right (or below) of them.

    Each is (pixels uint8 [B, S, S, 3], labels [B, MOST], boxes [B, MOST, 4]). If the cut leaves less than half of an
    object, the object is no longer asked for.
    """
    import torch

    axis = 0 if across else 1
    (pixels, labels, boxes), (others, their_labels, their_boxes) = first, second
    cut = round(more * others.shape[1])
    joined = torch.cat([pixels, others.narrow(2 if across else 1, 0, cut)], 2 if across else 1)
    low = their_boxes[..., axis] - their_boxes[..., axis + 2] / 2
    high = their_boxes[..., axis] + their_boxes[..., axis + 2] / 2
    kept = (more - low) >= 0.5 * (high - low)
    high = high.clamp(max=more)
    theirs = their_boxes.clone()
    theirs[..., axis], theirs[..., axis + 2] = 1 + (low + high) / 2, high - low
    labels = torch.cat([labels, their_labels.masked_fill(~kept, -1)], 1)
    boxes = torch.cat([boxes, theirs], 1)
    boxes[..., axis::2] /= 1 + more
    order = (labels < 0).int().argsort(dim=1, stable=True)[:, :MOST]
    return joined, labels.gather(1, order), boxes.gather(1, order[..., None].expand(-1, -1, 4))


# --- losses of the phases -----------------------------------------------------------------------------------------


def phase_loss(phase: str):
    """(model, batch) -> (loss, its parts): "dense" trains up to the encoder, "decoder" what follows, "joint" all.

    Taught in notebook 09.
    """
    import torch

    from .detr_loss import dense_loss, set_loss
    from .detr_model import decode, encode, heads
    from .loop import half_precision

    def loss(model, batch):
        pixels, labels, boxes = batch
        if phase == "decoder":  # the detector below stays frozen, its norms too
            model.model.backbone.eval()
        with half_precision(pixels.device):
            with torch.set_grad_enabled(phase != "decoder"):
                tokens, positions, grid = encode(model, pixels)
            states = decode(model, tokens, positions).float() if phase != "dense" else None
        parts = {}
        if phase != "decoder":
            parts |= {f"dense {k}": v for k, v in dense_loss(*heads(model, tokens), labels, boxes, grid).items()}
        if phase != "dense":
            parts |= {f"set {k}": v for k, v in set_loss(*heads(model, states), labels, boxes).items()}
        dense = 1.0 if phase == "dense" else 0.5
        weights = {"dense class": dense, "dense box": dense, "set class": 2.0, "set box": 1.0}
        return sum(weights[name] * value for name, value in parts.items()), parts

    return loss


# --- training ----------------------------------------------------------------------------------------------------


def save(model, folder: Path | str) -> None:
    """Write the model (float16) and its image processor as `from_pretrained` reads them."""
    from transformers import DetrForObjectDetection, DetrImageProcessorPil

    from .detr_model import MEAN, SIDE, STD, frozen_state

    ready = DetrForObjectDetection(model.config)
    ready.load_state_dict({key: value.contiguous() for key, value in frozen_state(model).items()})
    ready.half().save_pretrained(folder)
    size = {"shortest_edge": SIDE, "longest_edge": SIDE * 2}
    DetrImageProcessorPil(size=size, image_mean=list(MEAN), image_std=list(STD)).save_pretrained(folder)


def train(
    out: Path | str, minutes: float, *, seed: int = 0, scenes: Path | str | None = None, count: int = SCENES,
    init: Path | str | None = None, scored: int = 1000, progress: bool = True,
) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save model, processor and card.

    minutes: for all phases together. A phase stays as it is once a later one has begun, and added time goes to the last.
    init: a folder with a trained detector to go on from; all of the time then goes to the last phase.
    scenes: where the drawn scenes are kept (default: inside `out`); count: how many of them; scored: how many test
    scenes the evaluation at the end looks at. Returns what it measured. Taught in notebook 09.
    """
    import torch

    from .detr_model import SIDE, build, start_decoder, thaw
    from .loop import device, minutes_spent, run

    check_settings(minutes, count, seed)
    out = Path(out)
    data = scene_cache(scenes or out / "scenes", "train", count, seed)
    held = scene_cache(scenes or out / "scenes", "validation", CHECKED, seed)
    size = held.images.shape[1]
    scenes_small = shrink(data.images, SIDE), *truth(data.objects, size)
    watched = shrink(held.images, SIDE)
    del data  # the large pictures

    torch.manual_seed(seed)
    phases = PHASES
    if init is None:
        model = build()
    else:
        from transformers import DetrForObjectDetection

        model = thaw(DetrForObjectDetection.from_pretrained(init, dtype=torch.float32))
        phases = ({**PHASES[-1], "share": 1.0},)
    model.set_attn_implementation("eager")  # its backward pass is several times quicker on a CPU than SDPA's
    model.to(device())
    model.model.backbone.to(memory_format=torch.channels_last)

    settings = {"scenes": count, "batch": BATCH, "side": SIDE, **origins(init=model if init else None)}
    folders = [out / "training" / phase["name"] for phase in phases]
    done, seen = [], {}
    for phase, folder, time in zip(phases, folders, allot(minutes, phases, [minutes_spent(folder) for folder in folders])):
        name = phase["name"]
        if name == "decoder":
            start_decoder(model)
        still = ("model.backbone.", "model.input_projection.", "model.encoder.") if name == "decoder" else ()
        for key, parameter in model.named_parameters():
            parameter.requires_grad_(not key.startswith(still))
        done.append(run(
            model, batch_maker(*scenes_small, EXTENTS if name == "joint" else (1.0,)), phase_loss(name),
            folder, time, phase["lr"], name=f"detr {name}", settings={**settings, "phase": phase},
            hold=phase["hold"], warmup=200, ema=0.998, seed=seed, progress=progress,
        ))  # fmt: skip
        seen[name] = check(model, watched, held.objects, size, dense=name == "dense")
        say(out, f"{name}: {done[-1].steps} steps, {done[-1].minutes:.1f} min, validation {seen[name]}", progress)
    save(model, out)
    return finish(out, done, seen, init=init, count=count, seed=seed, scored=scored, progress=progress)


def allot(minutes: float, phases: Sequence[dict], spent: Sequence[float]) -> list[float]:
    """Minutes for each phase: its share, or what it has `spent` if a later phase has begun; the last phase gets the rest.

    An earlier phase gets no added time: the later phases' checkpoints would overwrite what it learned then.
    """
    given = [had if any(spent[i + 1 :]) else minutes * phase["share"] for i, (phase, had) in enumerate(zip(phases, spent))]
    return [*given[:-1], max(given[-1], minutes - sum(given[:-1]))]


def say(out: Path, line: str, progress: bool) -> None:
    """Add a phase's result to the run's list of phases, only once, and show it."""
    from tqdm import tqdm

    phases = out / "training" / "phases.txt"
    before = phases.read_text(encoding="utf-8") if phases.exists() else ""
    if line not in before.splitlines():
        phases.write_text(f"{before}{line}\n", encoding="utf-8")
    if progress:
        tqdm.write(f"detr {line}")


def finish(out: Path, done: list, seen: dict, *, init, count: int, seed: int, scored: int, progress: bool) -> dict:
    """Measure the saved detector on test scenes and write its card."""
    from .loop import Run

    results = score(out, scored, progress=progress)
    minutes = sum(part.minutes for part in done)
    whole = Run(done[-1].model, sum(part.steps for part in done), minutes, done[-1].settings, done[-1].losses)
    rows = [
        f"| {name} | {part.steps:,} | {part.minutes:.1f} | {part.settings['lr']:g} "
        f"| {ap['ap']:.3f} | {ap['ap50']:.3f} |"
        for (name, ap), part in zip(seen.items(), done, strict=True)
    ]
    write_card(
        out, run=whole, results=results, targets={"ap": ">= 0.75", "ap50": ">= 0.95"},
        title="DETR of the small world",
        what="A `DetrForObjectDetection` with its `DetrImageProcessor` (short side 192 pixels): it finds the objects "
        f"of a drawn scene. Box AP and AP50 by pycocotools on {scored} unseen test scenes of 256x256 pixels (seed 0) "
        "with 1 to 6 objects.",
        command=f"textedit-lite train detr --minutes {minutes:.0f} --seed {seed} --count {count}"
        + (" --init EARLIER" if init else "") + " --out DIR",
        data=f"{count} drawn scenes (split train, seed {seed}), mirrored at random, in the last phase joined to pictures of "
        "up to twice the side; boxes of what shows",
        limits=f"It knows the {len(CATEGORIES)} categories ({', '.join(CATEGORIES)}) of this project's drawn world and "
        "has never seen a photograph. Objects much smaller or larger than 22 to 44 % of the picture's short side are "
        "found less surely, and boxes are less exact in pictures much longer than high, or higher than long.",
        more=PHASES_NOTE + "\n".join(rows),
    )  # fmt: skip
    return results
