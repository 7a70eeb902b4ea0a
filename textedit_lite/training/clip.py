"""Trains the lite CLIP, which tells which words describe the object in a crop."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ..boxes import square_crop
from ..errors import WeightsError
from ..vocabulary import COLOURS, POSES, VIEWS, describe
from ..world.scenes import make_scene, render
from ..world.sprites import CATEGORIES
from .card import write_card
from .data import Labelled, SceneCache, label, scene_cache
from .settings import check_settings

SCENES = 8000
SIDE = 64  # pixels a side of what CLIP sees
VIEWS_OF_EACH = 3  # crops cut around each object, each around a box that is slightly off, as a detector's boxes are
JITTER = 0.06  # how far off at most the centre and the size are, as a fraction of the box
BATCH = 128
TOKENS = 20
VISIBLE = 0.4  # objects are left out if a smaller share of their box is visible
ATTRIBUTES = (CATEGORIES, COLOURS, tuple(VIEWS), tuple(POSES))

# Which attributes captions name beside the category (colour, view, pose), and how often. Each batch of crops is matched
# with several such sets of captions: texts cost little compared with pictures, and each set teaches something else.
SETS = 3
NAMED = {
    (1, 1, 1): 0.30, (1, 0, 0): 0.16, (0, 1, 0): 0.12, (0, 0, 1): 0.12, (0, 0, 0): 0.06, (1, 1, 0): 0.08,
    (1, 0, 1): 0.08, (0, 1, 1): 0.08,
}  # fmt: skip
# The forms that a phrase takes: the one of `describe`, and four others that people write.
SHAPES = {"{a} {phrase}": 0.76, "the {phrase}": 0.06, "{phrase}": 0.06, "a photo of {a} {phrase}": 0.06,
          "a picture of {a} {phrase}": 0.06}  # fmt: skip
MORE_WORDS = "a an the of on in at with and or to left right top bottom photo picture scene object one".split()

WHAT = """A `CLIPModel` with its `CLIPTokenizer` and `CLIPImageProcessor`: it tells which words describe the object in
a square crop (side 1.15 x the longest side of its box, {SIDE}x{SIDE} pixels). Its text encoder is also the painter's.

Measured on the true boxes of {objects} objects in {scored} unseen test scenes (seed 0), as shares: `category` among 12,
`colour_category` among 96, `view` and `pose` among the captions of the true category, `everything` among all 576."""
LIMITS = """It knows the categories {0}, the colours {1}, the views {2} and the poses {3} of this project's drawn world,
in sentences of the shape of `vocabulary.describe`. It has never seen a photograph. Some caption is always the nearest:
it was not taught to say that a crop shows none of them."""


# --- tokens ------------------------------------------------------------------------------------------------------


def words() -> list[str]:
    """Every word that the captions of the small world are made of, and a few more."""
    spoken = [describe(c, k, v, p) for c in CATEGORIES for k in COLOURS for v in VIEWS for p in POSES]
    return sorted({word for caption in spoken for word in caption.split()} | set(MORE_WORDS))


def byte_pair_merges(vocabulary: list[str]) -> list[tuple[str, str]]:
    """Merges that make one token of each word: the commonest pair of neighbours first (Sennrich et al., 2016)."""
    split = [[*word[:-1], word[-1] + "</w>"] for word in vocabulary]
    merges = []
    while pairs := Counter(pair for symbols in split for pair in zip(symbols, symbols[1:], strict=False)):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for symbols in split:
            at = 0
            while at < len(symbols) - 1:
                if (symbols[at], symbols[at + 1]) == best:
                    symbols[at : at + 2] = ["".join(best)]
                at += 1
    return merges


def build_tokenizer():
    """A `CLIPTokenizer` that knows each word of the world as one token and any other text as pieces.

    The ids are laid out as in OpenAI's: bytes, bytes that end a word, merges, start, end; the end also pads.
    Taught in notebook 09.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    alphabet = sorted(ByteLevel.alphabet())
    merges = byte_pair_merges(words())
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet), *map("".join, merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TOKENS)


# --- the model ---------------------------------------------------------------------------------------------------


def build(tokenizer):
    """An untrained `CLIPModel`: ViT of 64 pixels in patches of 8 (width 128, 4 layers), text of 20 tokens (128, 3).

    Taught in notebook 09.
    """
    from transformers import CLIPConfig, CLIPModel

    shape = {"hidden_size": 128, "num_attention_heads": 4}
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    return CLIPModel(CLIPConfig(
        text_config={**shape, **special, "intermediate_size": 256, "num_hidden_layers": 3,
                     "vocab_size": len(tokenizer), "max_position_embeddings": TOKENS},
        vision_config={**shape, "intermediate_size": 320, "num_hidden_layers": 4, "image_size": SIDE, "patch_size": 8},
        projection_dim=64,
    ))  # fmt: skip


def build_processor():
    """The `CLIPImageProcessor` that turns a square crop into what the model sees: bicubic to 64x64, -1..1."""
    from transformers import CLIPImageProcessorPil

    size = {"height": SIDE, "width": SIDE}
    return CLIPImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, resample=3, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def text_encoder(folder: Path | str):
    """(`CLIPTextModel`, `CLIPTokenizer`) of a trained CLIP: what the painter's pipeline reads captions with.

    Raises WeightsError if `folder` holds no CLIP. Taught in notebook 09.
    """
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    _need(folder)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model.text_model, CLIPTokenizer.from_pretrained(folder)


def _need(folder: Path | str) -> None:
    if not (Path(folder) / "config.json").exists():
        raise WeightsError(f"There is no CLIP in {folder}: train one with `textedit-lite train clip --out {folder}`.")


# --- data --------------------------------------------------------------------------------------------------------


def crops(data: SceneCache, copies: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops around jittered boxes, uint8 [N, copies, 64, 64, 3], and their indices into ATTRIBUTES, [N, 4].

    Taught in notebook 09.
    """
    from PIL import Image
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    kept = [(row, thing) for row, things in enumerate(data.objects) for thing in _seen(things)]
    found = np.empty((len(kept), copies, SIDE, SIDE, 3), np.uint8)
    for at, (row, thing) in enumerate(tqdm(kept, desc="cutting crops", unit="object", mininterval=5)):
        image = Image.fromarray(data.images[row])
        x0, y0, x1, y1 = thing.box
        for copy in range(copies):
            shift, grow = rng.uniform(-JITTER, JITTER, 2) * (x1 - x0, y1 - y0), rng.uniform(-JITTER, JITTER, 2)
            half = np.array([x1 - x0, y1 - y0]) / 2 * (1 + grow)
            centre = np.array([x0 + x1, y0 + y1]) / 2 + shift
            crop = square_crop(image, np.concatenate([centre - half, centre + half]))
            found[at, copy] = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return found, np.array([_indices(thing) for _, thing in kept])


def _seen(things: list[Labelled]) -> list[Labelled]:
    return [thing for thing in things if thing.visible_fraction >= VISIBLE]


def _indices(thing: Labelled) -> list[int]:
    values = (thing.category, thing.colour, thing.view, thing.pose)
    return [names.index(value) for names, value in zip(ATTRIBUTES, values, strict=True)]


def spoil(pixels, generator):
    """Do to part of a batch of crops in -1..1, mildly, what a painter does: light, blur, loss of resolution, noise."""
    import torch
    import torch.nn.functional as F

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator)

    pixels = pixels * uniform(0.95, 1.05, len(pixels), 1, 1, 1) + uniform(-0.1, 0.1, len(pixels), 1, 1, 1)
    quarter = len(pixels) // 4
    side = int(uniform(0.5, 0.9, 1) * SIDE)
    small = F.interpolate(pixels[:quarter], (side, side), mode="bilinear", antialias=True)
    sigma = float(uniform(0.4, 1.2, 1))
    bell = torch.exp(-0.5 * (torch.arange(-3.0, 4.0) / sigma) ** 2)
    kernel = torch.outer(bell, bell).div(bell.sum() ** 2).expand(3, 1, 7, 7)
    padded = F.pad(pixels[quarter : 2 * quarter], (3, 3, 3, 3), mode="replicate")
    pixels = torch.cat([
        F.interpolate(small, (SIDE, SIDE), mode="bilinear"),
        F.conv2d(padded, kernel, groups=3),
        pixels[2 * quarter :],
    ])  # fmt: skip
    noisy = slice(quarter // 2, quarter // 2 + quarter)
    pixels[noisy] += uniform(0.0, 0.08, quarter, 1, 1, 1) * torch.randn(pixels[noisy].shape, generator=generator)
    return pixels.clamp(-1, 1)


def phrase(attributes, named=(1, 1, 1), shape: str = "{a} {phrase}") -> str:
    """The caption of an object with the given attributes (indices into ATTRIBUTES); it names those that `named` says.

    Taught in notebook 09.
    """
    values = [names[index] for names, index in zip(ATTRIBUTES, attributes, strict=True)]
    told = [value if tell else None for value, tell in zip(values, (1, *named), strict=True)]
    a, _, rest = describe(*told).partition(" ")
    return shape.format(a=a, phrase=rest)


def batch_maker(pixels: np.ndarray, labels: np.ndarray, tokenizer):
    """(step, generator) -> crops, the different captions of the batch as tokens, and which caption each crop has.

    Taught in notebook 09.
    """
    import torch

    def batch(step: int, generator: torch.Generator) -> dict:
        rows = torch.randint(len(pixels), (BATCH,), generator=generator).numpy()
        copy = torch.randint(pixels.shape[1], (BATCH,), generator=generator).numpy()
        shape = list(SHAPES)[int(torch.multinomial(torch.tensor(list(SHAPES.values())), 1, generator=generator))]
        sets = torch.multinomial(torch.tensor(list(NAMED.values())), SETS, generator=generator).tolist()
        sentences = [[phrase(labels[row], list(NAMED)[named], shape) for row in rows] for named in sets]
        captions, targets = zip(*(np.unique(part, return_inverse=True) for part in sentences), strict=True)
        seen = torch.from_numpy(pixels[rows, copy]).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return {
            "pixels": spoil(seen, generator),  # [BATCH, 3, 64, 64]
            "tokens": tokenizer(np.concatenate(captions).tolist(), padding=True, return_tensors="pt")["input_ids"],
            "sizes": [len(part) for part in captions],  # captions of each set; the rows of `tokens` are their sum
            "targets": [torch.from_numpy(target) for target in targets],  # SETS x [BATCH]
        }

    return batch


def loss(model, batch):
    """CLIP's symmetric contrastive loss (Radford et al., 2021), where a caption is the positive for all crops that it fits.

    With crops i, captions j, their cosines c and the scale s, for each set of captions: half the cross entropy of
    softmax_j(s c_ij) with the caption of i, and half that of softmax_i(s c_ij) with all crops of j in equal shares.
    Taught in notebook 09.
    """
    import torch.nn.functional as F

    images = F.normalize(model.get_image_features(batch["pixels"]).pooler_output.float(), dim=-1)
    texts = F.normalize(model.get_text_features(batch["tokens"]).pooler_output.float(), dim=-1)
    scale, total, right = model.logit_scale.exp().clamp(max=100.0), 0.0, 0.0
    for part, target in zip(texts.split(batch["sizes"]), batch["targets"], strict=True):
        logits = scale * images @ part.T  # [crops, captions]
        mine = F.one_hot(target, len(part)).T.float()
        by_caption = -(mine / mine.sum(1, keepdim=True) * logits.T.log_softmax(-1)).sum(1).mean()
        total = total + (F.cross_entropy(logits, target) + by_caption) / 2 / SETS
        right = right + (logits.argmax(1) == target).float().mean() / SETS
    return total, {"right": right}


# --- measuring ---------------------------------------------------------------------------------------------------


def score(folder: Path | str, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, float]:
    """Shares of objects in test scenes whose true crop CLIP reads correctly, through the library's own classes.

    `category` among the 12, `colour_category` among the 96 pairs, `view` and `pose` among the captions of the true
    category, `everything` among all 576. Raises WeightsError if `folder` holds no CLIP. Taught in notebook 02.
    """
    import torch
    from tqdm import tqdm
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    _need(folder)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor, tokenizer = CLIPImageProcessorPil.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    questions = {"category": (0, 0, 0), "colour_category": (1, 0, 0), "view": (0, 1, 0), "pose": (0, 0, 1),
                 "everything": (1, 1, 1)}  # fmt: skip
    every = np.array(list(np.ndindex(*map(len, ATTRIBUTES))))  # [576, 4]
    answers, features = {}, {}
    with torch.inference_mode():
        for name, named in questions.items():
            rows = np.unique(every * (1, *named), axis=0)
            tokens = tokenizer([phrase(row, named) for row in rows], padding="max_length", return_tensors="pt")
            texts = model.get_text_features(**tokens).pooler_output
            answers[name], features[name] = rows, texts / texts.norm(dim=-1, keepdim=True)
        right: dict[str, list[bool]] = {name: [] for name in questions}
        for start in tqdm(range(0, count, 25), desc="scoring CLIP", unit="batch", disable=not progress):
            boxed, truth = [], []
            for scene in (make_scene(i, "test", seed) for i in range(start, min(start + 25, count))):
                image = render(scene)
                things = _seen(label(scene))
                boxed += [square_crop(image, thing.box) for thing in things]
                truth += [_indices(thing) for thing in things]
            images = model.get_image_features(**processor(images=boxed, return_tensors="pt")).pooler_output
            for name, named in questions.items():
                similar = (images @ features[name].T).numpy()  # [crops, captions]
                wanted = np.array(truth) * (1, *named)
                if name in ("view", "pose"):  # asked about an object whose category is known
                    similar = np.where(answers[name][None, :, 0] == wanted[:, :1], similar, -np.inf)
                right[name] += (answers[name][similar.argmax(1)] == wanted).all(1).tolist()
    shares = {name: round(float(np.mean(found)), 4) for name, found in right.items()}
    return {"objects": len(right["category"])} | shares


# --- training ----------------------------------------------------------------------------------------------------


def train(
    out: Path | str, minutes: float, *, seed: int = 0, scenes: Path | str | None = None, count: int = SCENES,
    scored: int = 1000, progress: bool = True,
) -> dict:  # fmt: skip
    """Train for `minutes` into `out` (goes on with what is there), save model, tokenizer, processor and card.

    scenes: where the drawn scenes are kept (default: inside `out`); count: how many of them; scored: how many test
    scenes the evaluation at the end looks at. Returns what it measured. Taught in notebook 09.
    """
    import torch

    from .loop import run

    check_settings(minutes, count, seed)
    out = Path(out)
    tokenizer = build_tokenizer()
    pixels, labels = crops(scene_cache(scenes or out / "scenes", "train", count, seed), VIEWS_OF_EACH, seed)
    torch.manual_seed(seed)
    model = build(tokenizer)
    model.set_attn_implementation("eager")  # its backward pass is several times quicker on a CPU than SDPA's
    done = run(
        model, batch_maker(pixels, labels, tokenizer), loss, out / "training", minutes, 1e-3, name="clip",
        settings={"scenes": count, "objects": len(labels), "batch": BATCH, "sets": SETS}, hold=0.1, weight_decay=0.05,
        betas=(0.9, 0.98), ema=0.998, bf16=True, seed=seed, progress=progress,
    )  # fmt: skip
    model = done.model.cpu().half()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    build_processor().save_pretrained(out)
    results = score(out, scored, progress=progress)
    write_card(
        out, run=done, results=results, targets={"category": ">= 0.99", "colour_category": ">= 0.97"},
        title="CLIP of the small world",
        what=WHAT.format(SIDE=SIDE, scored=scored, objects=results["objects"]),
        command=f"textedit-lite train clip --minutes {minutes:g} --seed {seed} --count {count} --out DIR",
        data=f"{len(labels)} objects of {count} drawn scenes (split train, seed {seed}), {VIEWS_OF_EACH} jittered "
        "crops each, part of them dimmed, blurred or noisy; captions name the category and some of the attributes",
        limits=LIMITS.format(*(", ".join(names) for names in ATTRIBUTES)),
    )  # fmt: skip
    return results
