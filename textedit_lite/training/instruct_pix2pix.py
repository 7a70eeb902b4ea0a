"""Trains the lite InstructPix2Pix: a UNet that sees a scene and an instruction, and draws the scene after the edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import TextEditError
from ..evaluation.cases import naming
from ..match import ATTRIBUTES
from ..prompt import parse
from ..rivals.words import instruction
from ..vocabulary import TASKS, describe
from ..world.scenes import Scene, changed, full_mask, make_scene, render, visible_masks
from .card import write_card
from .data import sample_files
from .files import whole
from .inpaint import caption_states
from .settings import check_settings
from .text2image import BATCH, NATIVE, PART, build, encode, fit, save, shrink, timesteps
from .vae import load_vae

TRIPLES = 24_000
ASKED_ELSE = 0.2  # how often a triple makes a change other than the paper's four tasks: any view or pose, or two at once
EACH = 2  # objects of a scene that are edited, at most: drawing the scene anew is what costs
DROPPED = 0.05  # each: instruction left out, picture left out, both left out (Brooks et al., 2023, section 3.2.1)
UNCHANGED = 0.25  # weight of the loss where nothing changes, as that large part is easily copied; 1 where it changes


@dataclass(frozen=True)
class Triple:
    """A scene, an edit of one of its objects, and the instruction that asks for it."""

    before: Scene
    index: int
    change: dict[str, str]
    instruction: str


# --- samples -----------------------------------------------------------------------------------------------------


def ask(scene: Scene, index: int, change: dict[str, str]) -> Triple | None:
    """The triple of an edit, worded as an edit prompt is; None where no words tell the object from the others."""
    thing = scene.objects[index]
    alike = sorted((other.x, i) for i, other in enumerate(scene.objects) if other.category == thing.category)
    if named := naming(scene, index):
        category, colour = named
        source = " ".join(word for word in (colour, category) if word)
    elif index in (alike[0][1], alike[-1][1]):
        source, colour = f"{'left' if index == alike[0][1] else 'right'} {thing.category}", None
    else:
        return None
    target = describe(thing.category, **{"colour": colour, **change})
    try:
        wish = parse(f"the {source} changes to {target}")
    except TextEditError:  # words that change nothing: "the white car" asked to be white
        return None
    return Triple(scene, index, change, instruction(wish, brief=True))


def choose_change(thing, rng: np.random.Generator) -> dict[str, str]:
    """The change to ask of an object: one of the paper's four tasks, or any other view, pose, or two attributes at once."""
    now = {name: getattr(thing, name) for name in ATTRIBUTES}

    def other(name: str) -> str:
        return str(rng.choice([value for value in ATTRIBUTES[name] if value != now[name]]))

    if rng.random() < ASKED_ELSE:
        names = rng.choice(list(ATTRIBUTES), size=int(rng.integers(1, 3)), replace=False)
        return {str(name): other(str(name)) for name in names}
    possible = [(name, value) for name, value in TASKS.values() if now[name] != value]
    name, value = possible[rng.integers(len(possible))]
    return {name: value or other(name)}


def triples(scene: Scene, rng: np.random.Generator) -> list[Triple]:
    """Edits of up to EACH well visible objects of a scene, each there and, with the opposite instruction, back."""
    visible, found = visible_masks(scene), []
    shown = [i for i in range(len(scene.objects)) if visible[i].sum() >= 0.7 * full_mask(scene, i).sum()]
    for index in rng.permutation(shown)[:EACH]:
        thing = scene.objects[index]
        change = choose_change(thing, rng)
        there = ask(scene, int(index), change)
        back = ask(changed(scene, int(index), **change), int(index), {name: getattr(thing, name) for name in change})
        found += [triple for triple in (there, back) if triple]
    return found


def _draw_part(job: tuple[Path, int, int]) -> None:
    """PART triples: the pictures before and after, and the words."""
    path, part, seed = job
    if path.exists():
        return
    rng = np.random.default_rng([seed, part, 11])
    before, after, words = [], [], []
    index = part * PART  # a scene gives up to four, so no scene of one part occurs in another
    while len(before) < PART:
        scene = make_scene(index, "train", seed + 3)
        index += 1
        for triple in triples(scene, rng):
            before.append(shrink(render(triple.before)))
            after.append(shrink(render(changed(triple.before, triple.index, **triple.change))))
            words.append(triple.instruction)
    with whole(path) as half:
        np.savez(half, before=np.stack(before[:PART]), after=np.stack(after[:PART]), words=np.array(words[:PART]))


def change_weights(before, after):
    """1 in the box around all places where the latents differ, UNCHANGED elsewhere: float32 [B, 1, h, h].

    before, after: latents, float [B, 4, h, h].
    """
    import torch

    differ = (before - after).abs().amax(1) > 0.25  # [B, h, h]
    rows, columns = differ.any(2), differ.any(1)

    def between(line):  # from the first True to the last
        return (line.int().cummax(1).values > 0) & (line.int().flip(1).cummax(1).values.flip(1) > 0)

    box = between(rows)[:, :, None] & between(columns)[:, None, :]
    return torch.where(box, 1.0, UNCHANGED)[:, None]


def batch_maker(before, after, words, scaling: float):
    """A function (step, generator) -> one batch, as `inpaint.velocity_loss` takes it.

    before, after: latents, float16 [N, 4, h, h]; words: indices of the instructions, int [N], where 0 is the empty one;
    scaling: the autoencoder's factor; the pipeline hands the picture's latents to the UNet without it.
    Taught in notebook 09.
    """
    import torch

    before, after, words = map(torch.from_numpy, (before, after, words))

    def batches(step, generator):
        rows = torch.randint(len(words), (BATCH,), generator=generator)
        lot = torch.rand(BATCH, generator=generator)
        caption = words[rows].masked_fill((lot < DROPPED) | (lot > 1 - DROPPED), 0)
        source, target = before[rows].float(), after[rows].float()
        seen = source / scaling * ((lot < DROPPED) | (lot >= 2 * DROPPED) & (lot <= 1 - DROPPED))[:, None, None, None]
        noise = torch.randn(target.shape, generator=generator)
        return target, seen, change_weights(source, target), caption, timesteps(BATCH, generator), noise

    return batches


# --- training ----------------------------------------------------------------------------------------------------


def train(out: Path | str, minutes: float, *, vae: Path | str, clip: Path | str, seed: int = 0, scenes: Path | str | None = None,
          count: int = TRIPLES, init: Path | str | None = None, progress: bool = True) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save UNet, schedule and card there.

    vae, clip: folders of the trained autoencoder and CLIP, which stay as they are. scenes: folder of drawn samples.
    init: folder of a trained text-to-image UNet to begin from, as the original did, or of an earlier training of this
    model. Taught in notebook 09.
    """
    import torch

    check_settings(minutes, count, seed)
    out = Path(out)
    autoencoder = load_vae(vae)
    paths = sample_files(_draw_part, scenes or out / "samples", "instruct-pix2pix", PART, count, seed)
    data = encode(paths, ["before", "after"], autoencoder)
    texts = ["", *sorted(set(data["words"].tolist()))]
    index = {text: i for i, text in enumerate(texts)}
    words = np.array([index[text] for text in data["words"].tolist()])
    states = caption_states(clip, texts).half()
    torch.manual_seed(seed)
    unet = build(8, states.shape[-1])
    batches = batch_maker(data["before"], data["after"], words, autoencoder.config.scaling_factor)
    done = fit(unet, batches, states, out, "instruct-pix2pix", minutes, vae=autoencoder, clip=clip, count=count, init=init, seed=seed,
               progress=progress)  # fmt: skip
    save(done.model, "StableDiffusionInstructPix2PixPipeline", out)
    results = {"loss": round(done.losses.get("loss", float("nan")), 4)}
    write_card(
        out, run=done, results=results, title="InstructPix2Pix of the small world",
        what="An 8-channel `UNet2DConditionModel` for `StableDiffusionInstructPix2PixPipeline`: it sees the latents of a whole scene, "
        f"{NATIVE}x{NATIVE} pixels, beside the noisy ones, and draws the scene after an edit that an instruction asks for. "
        "Autoencoder and text encoder are the painter's, and are not stored again. What an edit with it is worth, "
        "`textedit-lite evaluate --editor instruct-pix2pix` measures.",
        command=f"textedit-lite train instruct-pix2pix --minutes {minutes:g} --seed {seed} --count {count} --vae DIR --clip DIR --out DIR"
        + (" --init DIR" if init else ""),
        data=f"{len(words)} triples of scene, instruction and ideal edit (split train, seed {seed + 3}), {NATIVE}x{NATIVE} pixels"
        + ("; begun from the weights of an earlier run" if init else ""),
        limits="It knows scenes of this project's drawn world and instructions worded as `rivals.words.instruction` words them. It "
        "draws the whole picture anew, so that nothing of it is exactly as it was.",
    )  # fmt: skip
    return results
