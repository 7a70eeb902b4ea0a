"""Stage 2: CLIP picks, among the boxes, the one that the words mean, and reads what an object shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral

import numpy as np
from PIL import Image, ImageFilter

from .boxes import CLIP_SIDE, square_crop
from .errors import SettingsError
from .phrases import exclusive, likes
from .prompt import SELECTORS
from .relations import middle, ordinal, place, related, relation
from .vocabulary import COLOURS, POSES, VIEWS, article, describe

FUSION = 0.6  # weight of CLIP in the fused score; the rest is DETR's
DOUBT = 0.05  # what is left of DETR's score where its label is another category than the one asked for
FITS = 0.5  # an asked attribute must have at least this share of the likeliest alternative's probability
AMBIGUOUS = 0.15  # a match is ambiguous if the second fitting candidate is behind the best by less than this share of its score
MATCHES = ("crop", "patches")  # what CLIP looks at: one crop per candidate, or several views of it and its patches
PADDED = 1.3  # side of the wider view, in longest sides of the box
NEVER = 1e-12  # stands for a probability of 0, so that something is left of two crops that contradict each other
BLUR = 10  # the rest of a crop is blurred by its longer side divided by this
PATCHES = 0.25  # weight of the patches beside that of one view: more makes the lite CLIP's readings worse
ATTRIBUTES = {"colour": COLOURS, "view": tuple(VIEWS), "pose": tuple(POSES)}


@dataclass(frozen=True)
class Candidate:
    """One detected object, seen by both models; `fits` says whether every asked word holds for it."""

    box: tuple[float, float, float, float]  # xyxy, pixels of the image
    label: str  # DETR's
    detr_score: float
    clip_score: float
    score: float  # fused
    fits: bool

    def to_dict(self) -> dict:
        return {"box": [round(v, 2) for v in self.box], "label": self.label, "detr_score": round(self.detr_score, 4),
                "clip_score": round(self.clip_score, 4), "score": round(self.score, 4)}  # fmt: skip


@dataclass(frozen=True)
class Match:
    """All candidates, the index of the chosen one (or None), "found" | "not_found" | "ambiguous", and the margin."""

    candidates: tuple[Candidate, ...]
    index: int | None
    status: str
    margin: float  # score of the best fitting candidate minus that of the second best
    no_middle: bool = False  # ambiguous because the middle one of an even number was asked for


@dataclass(frozen=True)
class Reading:
    """What CLIP reads on one object: for each attribute the probability of every value."""

    probabilities: dict[str, dict[str, float]]
    joint: dict[tuple[str, str, str], float]  # (colour, view, pose) -> probability

    @property
    def values(self) -> dict[str, str]:
        """The likeliest value of each attribute."""
        return {name: max(table, key=table.get) for name, table in self.probabilities.items()}

    def probability(self, wanted: dict[str, str]) -> float:
        """How likely it is that all wanted attributes hold together."""
        places = [list(ATTRIBUTES).index(name) for name in wanted]
        return float(sum(p for key, p in self.joint.items() if all(key[i] == v for i, v in zip(places, wanted.values()))))


# --- features ----------------------------------------------------------------------------------------------------


def image_features(crops: Sequence[Image.Image], models) -> np.ndarray:
    """CLIP's unit features of crops, all in one batch: float32 [N, D]. Taught in notebook 02."""
    import torch

    pixels = models.clip_processor(images=list(crops), return_tensors="pt")["pixel_values"].to(models.clip.device)
    with torch.inference_mode():
        features = models.clip.get_image_features(pixel_values=pixels).pooler_output.float()
    return torch.nn.functional.normalize(features, dim=-1).cpu().numpy()


def patch_features(crops: Sequence[Image.Image], models) -> tuple[np.ndarray, np.ndarray]:
    """CLIP's unit features of crops, as `image_features`, and of each patch in them: float32 [N, D], [N, g, g, D].

    A patch's feature is its token after the last layer, sent where CLIP sends the class token: through the final
    normalisation and the projection into the space of the words. It was never trained to lie there, so it says less than
    the whole crop's. All crops in one call; g = 8 for the lite CLIP, 7 for ViT-B/32. Taught in notebook 07.
    """
    import torch

    pixels = models.clip_processor(images=list(crops), return_tensors="pt")["pixel_values"].to(models.clip.device)
    with torch.inference_mode():
        seen = models.clip.get_image_features(pixel_values=pixels)
        tokens = models.clip.vision_model.post_layernorm(seen.last_hidden_state[:, 1:])
        both = (seen.pooler_output.float(), models.clip.visual_projection(tokens).float())
    whole, parts = (torch.nn.functional.normalize(one, dim=-1).cpu().numpy() for one in both)
    side = round(parts.shape[1] ** 0.5)
    return whole, parts.reshape(len(parts), side, side, -1)


def text_features(captions: Sequence[str], models) -> np.ndarray:
    """CLIP's unit features of captions, the new ones in one batch, the others from memory: float32 [M, D].

    Taught in notebook 02.
    """
    import torch

    new = [caption for caption in dict.fromkeys(captions) if caption not in models.text_features]
    if new:
        tokens = models.clip_tokenizer([models.captions.format(caption) for caption in new], padding="max_length",
                                       truncation=True, return_tensors="pt").to(models.clip.device)  # fmt: skip
        with torch.inference_mode():
            features = models.clip.get_text_features(**tokens).pooler_output.float()
        features = torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
        models.text_features.update(zip(new, features))
    return np.stack([models.text_features[caption] for caption in captions])


def similarity(crops: Sequence[Image.Image], captions: Sequence[str], models) -> np.ndarray:
    """Cosine similarity of every crop with every caption: float32 [N, M] = I T^t, |I_i| = |T_j| = 1.

    CLIP: Radford et al., 2021; paper, stage 2. Taught in notebook 02.
    """
    return cosine(image_features(crops, models), text_features(captions, models))


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarity of every row of `a` [N, D] with every row of `b` [M, D]: float32 [N, M], 0 for a row of zeros.

    S_ij = a_i . b_j / (|a_i| |b_j|). Taught in notebook 02.
    """
    a, b = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (a, b))
    return a @ b.T


def softmax(similarities: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Similarities [N, M] as probabilities of the M against each other, row by row: float32 [N, M], each row sums to 1.

    p_ij = exp(s S_ij) / sum_k exp(s S_ik); s, the inverse of a temperature, says how much a difference counts.
    Taught in notebook 02.
    """
    logits = scale * similarities
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def contrast(images: np.ndarray, captions: Sequence[str], models) -> np.ndarray:
    """Probability of each caption against the others, softmax over captions of scaled cosine similarity: [N, M].

    images: CLIP's vectors, [N, D]. Taught in notebook 02.
    """
    scale = float(models.clip.logit_scale.detach().exp())
    return softmax(cosine(images, text_features(captions, models)), scale)


# --- the views of a candidate ------------------------------------------------------------------------------------


def inside_crop(box: Sequence[float]) -> tuple[float, float, float, float]:
    """Where a box lies in its `square_crop`, xyxy as fractions of the crop's side. Taught in notebook 07."""
    sides = np.array([box[2] - box[0], box[3] - box[1]], float)
    half = sides / max(sides.max(), 1e-6) / CLIP_SIDE / 2
    return tuple(float(v) for v in (*(0.5 - half), *(0.5 + half)))


def blur_rest(crop: Image.Image, part: tuple[float, float, float, float]) -> Image.Image:
    """A crop in which all but a part (xyxy, fractions of its sides) is blurred, so that the part alone has outlines.

    ReCLIP blurs the whole picture around a box; the lite CLIP, which sees 64 pixels, needs the crop: in whole pictures
    it reads one category in twelve correctly, which is chance. Taught in notebook 07.
    """
    width, height = crop.size
    box = [round(v * side) for v, side in zip(part, (width, height, width, height))]
    box = (box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1))
    blurred = crop.filter(ImageFilter.GaussianBlur(max(width, height) / BLUR))
    blurred.paste(crop.crop(box), box[:2])
    return blurred


def views(image: Image.Image, box: Sequence[float]) -> list[Image.Image]:
    """What CLIP sees of one candidate: its square crop, a wider one, and the first with the rest blurred.

    Taught in notebook 07.
    """
    close = square_crop(image, box)
    return [close, square_crop(image, box, PADDED), blur_rest(close, inside_crop(box))]


def pool_patches(patches: np.ndarray, part: tuple[float, float, float, float]) -> np.ndarray:
    """The mean feature of the patches under a part of a crop, each weighted by how much of it lies there: [g, g, D] -> [D].

    part: xyxy, fractions of the crop's side. Taught in notebook 07.
    """
    side = len(patches)
    low = np.arange(side) / side
    across, down = (np.clip(np.minimum(low + 1 / side, part[i + 2]) - np.maximum(low, part[i]), 0, None) for i in (0, 1))
    shares = down[:, None] * across[None]
    return np.einsum("yx,yxd->d", shares / max(shares.sum(), 1e-12), patches).astype(np.float32)


def candidate_features(image: Image.Image, boxes: np.ndarray, models, by: str = "crop") -> np.ndarray:
    """CLIP's unit vector of each candidate, all in ONE call: float32 [N, D].

    by: "crop": f(crop), of the `square_crop` alone. "patches": the direction of sum_v f(view_v) + PATCHES p, with the
    three `views` of the candidate and p the mean of the patch features of its crop under its box (`pool_patches`).
    Raises SettingsError for any other way. Taught in notebook 07.
    """
    check_match(by)
    if by == "crop" or not len(boxes):
        return image_features([square_crop(image, box) for box in boxes], models)
    seen = [views(image, box) for box in boxes]
    whole, patches = patch_features([view for three in seen for view in three], models)
    whole, patches = (one.reshape(len(boxes), 3, *one.shape[1:]) for one in (whole, patches))
    pooled = np.stack([pool_patches(grid, inside_crop(box)) for grid, box in zip(patches[:, 0], boxes)])
    together = whole.sum(1) + PATCHES * pooled
    return (together / np.linalg.norm(together, axis=1, keepdims=True)).astype(np.float32)


def check_match(by: str) -> None:
    """Raises SettingsError if this is not a way to match."""
    if by not in MATCHES:
        raise SettingsError(f"There is no way to match by {by!r}: choose {' or '.join(MATCHES)}.")


# --- reading -----------------------------------------------------------------------------------------------------


def read_attributes(
    crops: Sequence[Image.Image], categories: Sequence[str], models, asked: Iterable[tuple[str, str]] = ()
) -> list[Reading]:  # fmt: skip
    """What CLIP reads on objects of known categories: colour, view and pose, out of all combinations.

    p(colour, view, pose) = softmax over the captions `describe(category, colour, view, pose)`; an attribute's own
    probability is the sum over the others. Crops: as `square_crop` cuts them; asked: (attribute, value) pairs that a prompt
    names, which may go beyond ATTRIBUTES: ("colour", "pink"). Taught in notebook 02.
    """
    if not crops:
        return []
    features = image_features(crops, models)
    asked = list(asked)
    values = ([*known, *(value for kind, value in asked if kind == name)] for name, known in ATTRIBUTES.items())
    combinations = list(product(*map(dict.fromkeys, values)))
    joints = (contrast(row[None], [describe(category, *words) for words in combinations], models)[0]
              for row, category in zip(features, categories))  # fmt: skip
    return [_reading(dict(zip(combinations, joint.tolist()))) for joint in joints]


def read_object(
    image: Image.Image, box: Sequence[float], category: str, models, asked: Iterable[tuple[str, str]] = ()
) -> Reading:  # fmt: skip
    """What CLIP reads on the object in a box (xyxy), seen close and from a little further away.

    p ~ sqrt(p_close p_wide), the geometric mean of the two crops' readings (`read_attributes`): what one of them misreads,
    the other seldom does. asked: see `read_attributes`. Taught in notebook 02.
    """
    close, wide = read_attributes([square_crop(image, box), square_crop(image, box, PADDED)], [category] * 2, models, asked)
    joint = {words: math.sqrt(max(p, NEVER) * max(wide.joint[words], NEVER)) for words, p in close.joint.items()}
    total = sum(joint.values())
    return _reading({words: p / total for words, p in joint.items()})


def _reading(joint: dict[tuple[str, str, str], float]) -> Reading:
    """A reading, from the probabilities of all combinations."""
    tables: dict[str, dict[str, float]] = {name: {} for name in ATTRIBUTES}
    for words, p in joint.items():
        for table, value in zip(tables.values(), words):
            table[value] = table.get(value, 0.0) + p
    return Reading(tables, joint)


def read_categories(crops: Sequence[Image.Image], categories: Sequence[str], models) -> np.ndarray:
    """Probability of each category for each crop: float32 [N, categories]. Taught in notebook 02."""
    return contrast(image_features(crops, models), [f"{article(name)} {name}" for name in categories], models)


# --- choosing ----------------------------------------------------------------------------------------------------


def fuse(clip_score: float, detr_score: float, weight: float = FUSION) -> float:
    """The fused score s = clip^w detr^(1 - w): a weighted geometric mean, so that neither model can outvote the other's flat no.

    clip_score, detr_score: probabilities. Paper, stage 2: fusion of similarity and confidence. Taught in notebook 02.
    """
    return float(clip_score**weight * detr_score ** (1 - weight))


def match(
    image: Image.Image, detections, prompt, models, select: str | int | None = None, weight: float = FUSION,
    by: str = MATCHES[0], relations: bool = True,
) -> Match:  # fmt: skip
    """Choose the object that a prompt means: CLIP looks at all detections in ONE batch.

    A candidate's CLIP score is the probability that it is the asked category (against the detector's other ones), times
    that of each asked attribute (against the attribute's other values: a blue bus is no "red bus"), times that of each
    relation ("left of the red car", see `resolve`). It is fused with DETR's score (`fuse`). Among the candidates that fit, a
    selector ("left", "largest") decides by the boxes, and counts where the prompt does ("the second from the left"). The
    "middle" one has as many on either side; an even number has none, which is "ambiguous". Without a selector the best
    score decides, unless the second is less than 15 % of it behind ("ambiguous").

    select: "best" (never ambiguous; nor is "all", which returns the index of the best), a selector, or the index of a candidate;
    None leaves it to the prompt. weight: of CLIP in the fused score; 1 is CLIP alone, 0 is DETR alone. by: one of
    MATCHES, what CLIP looks at (`candidate_features`). relations: whether the prompt's relations and its counting are
    heeded; without them, this is what plain CLIP makes of the words. Raises SettingsError for an index that no candidate
    has, and for an unknown way to match. Taught in notebook 02.
    """
    check_match(by)
    features = candidate_features(image, detections.boxes, models, by) if len(detections.labels) else None
    return match_features(features, detections, prompt, models, select, weight, relations)


def match_features(
    features: np.ndarray | None, detections, prompt, models, select: str | int | None = None, weight: float = FUSION,
    relations: bool = True,
) -> Match:  # fmt: skip
    """`match`, if CLIP has looked already: features as `candidate_features` makes them, [N, D]. Taught in notebook 07."""
    rank = prompt.rank if relations else 1
    asked = prompt.selector if relations or prompt.rank == 1 else None
    select, rank = (select, 1) if select is not None else (asked, rank)
    if not len(detections.labels):
        return choose((), select, rank)
    share, scores, fits = resolve(prompt, features, detections, models, weight, relations)
    candidates = tuple(
        Candidate(tuple(float(v) for v in box), label, float(detr), float(clip), float(score), bool(fit))
        for box, label, detr, clip, score, fit in zip(detections.boxes, detections.labels, detections.scores, share, scores, fits)
    )
    return choose(candidates, select, rank)


def resolve(
    named, features: np.ndarray, detections, models, weight: float = FUSION, relations: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How well N candidates match what a prompt, or a mention in it, says: (CLIP share, fused score, fits), each [N].

    The share is p(words) times q = `related`(r, a) for each relation: r is the relation between the boxes, a are the anchor's
    fused scores, made in this same way, of the candidates that fit it (of only one, if a selector or counting picks it).
    A candidate fits if all words fit, and every q reaches 1/2. Taught in notebook 07.
    """
    share, fits = _words(named, features, detections, models)
    boxes = np.asarray(detections.boxes, np.float32)
    for one in named.relations if relations else ():
        _, scores, anchors = resolve(one.anchor, features, detections, models, weight)
        if one.anchor.selector and anchors.any():
            among = np.flatnonzero(anchors)
            chosen = _selected(boxes[among], one.anchor.selector, one.anchor.rank)
            anchors = np.isin(np.arange(len(boxes)), among[[chosen] if chosen is not None else []])
        q = related(relation(one.name, boxes, fits), scores * anchors)
        share, fits = share * q, fits & (q >= FITS)
    noun = named.category or named.noun
    labelled = np.array([label == noun for label in detections.labels])
    doubted = np.where(labelled | (noun not in models.categories), 1.0, DOUBT) * detections.scores
    return share, np.array([fuse(c, d, weight) for c, d in zip(share, doubted)]), fits


def _words(named, features: np.ndarray, detections, models) -> tuple[np.ndarray, np.ndarray]:
    """The probability of noun and attributes for each candidate, and whether each of them fits: [N], [N].

    A noun that says more than its category ("woman", of a person) is read like an attribute: it and the other words for it
    ("lady") against the words for what it is not ("man", "boy"). If the prompt says more than noun and attributes ("the car
    with the red roof"), what CLIP finds nearer to the whole phrase than to the bare noun becomes likelier.
    """
    noun = named.category or named.noun
    categories = list(dict.fromkeys([noun, *models.categories]))
    noun_table = contrast(features, [f"{article(name)} {name}" for name in categories], models)
    share = noun_table[:, 0].copy()
    labelled = np.array([label == noun for label in detections.labels])
    # What DETR does not know ("the sky") must be likelier than all that it knows, or it would be whatever lies next to it.
    fits = (labelled if noun in models.categories else share >= noun_table.max(1)).copy()
    for name, values in (ATTRIBUTES | {"colour": models.colours}).items():
        if (asked := getattr(named, name)) is not None:
            table = contrast(features, [describe(noun, **{name: value}) for value in dict.fromkeys([asked, *values])], models)
            share *= table[:, 0]
            fits &= table[:, 0] >= FITS * table.max(1)
    if exclusive(named.noun):
        yes, no = likes(named.noun)
        is_one = contrast(features, [f"{article(name)} {name}" for name in (*yes, *no)], models)[:, : len(yes)].sum(1)
        share *= is_one
        fits &= is_one >= FITS * (1 - is_one)
    if set(getattr(named, "unknown", ())) & set(named.source.split()):
        share *= contrast(features, [f"{article(text)} {text}" for text in (named.source, noun)], models)[:, 0]
    return share, fits


def choose(candidates: Sequence[Candidate], select: str | int | None = None, rank: int = 1) -> Match:
    """The last step of `match`: pick among scored candidates, the `rank`-th in a selector's order. Taught in notebook 02."""
    candidates = tuple(candidates)
    check_select(select)
    if isinstance(select, Integral) and candidates:
        if not 0 <= select < len(candidates):
            raise SettingsError(f"There is no candidate {select}: choose from 0 to {len(candidates) - 1}.")
        return Match(candidates, int(select), "found", 0.0)
    scores = np.array([candidate.score for candidate in candidates])
    fits = np.array([candidate.fits for candidate in candidates], bool)
    bar = AMBIGUOUS * max(scores[fits], default=0.0) if select is None else 0.0
    index, status, margin = verdict(scores, fits, bar)
    if select in SELECTORS and index is not None:
        fitting = sorted(np.flatnonzero(fits).tolist(), key=lambda i: -scores[i])
        boxes = np.array([candidates[i].box for i in fitting], np.float32)
        chosen = _selected(boxes, select, rank)
        if chosen is None:  # an even number has no middle, or there are fewer than `rank`
            return Match(candidates, None, "ambiguous" if select == "middle" else "not_found", 0.0, no_middle=select == "middle")
        index = fitting[chosen]
    return Match(candidates, index, status, margin)


def _selected(boxes: np.ndarray, selector: str, rank: int) -> int | None:
    if selector == "middle":
        return middle(boxes)
    return pick(boxes, selector) if rank == 1 else ordinal(boxes, selector, rank)


def verdict(scores: np.ndarray, fits: np.ndarray, bar: float = AMBIGUOUS) -> tuple[int | None, str, float]:
    """Which of N scored candidates is meant, and whether that is clear: (index or None, status, margin).

    scores: [N]; fits: bool [N]. Only those that fit count. The margin is the best one's score minus the second best's
    (or minus 0 where there is none). Without any that fits the status is "not_found" and the margin 0; with two or more
    closer than `bar` it is "ambiguous"; else "found", and only then is there an index. Taught in notebook 02.
    """
    fitting = sorted((i for i, fit in enumerate(fits) if fit), key=lambda i: -scores[i])
    if not fitting:
        return None, "not_found", 0.0
    margin = float(scores[fitting[0]] - (scores[fitting[1]] if len(fitting) > 1 else 0.0))
    if len(fitting) > 1 and margin < bar:
        return None, "ambiguous", margin
    return fitting[0], "found", margin


def pick(boxes: np.ndarray, selector: str) -> int:
    """The index of the box that a selector, one of ORDERS, means: float32 [N, 4] -> 0 .. N - 1.

    Places are those of the boxes' centres, sizes their areas. Of two that tie, the first. Taught in notebook 02.
    """
    return min(range(len(boxes)), key=lambda i: place(boxes[i], selector))


def check_select(select: str | int | None) -> None:
    """Raises SettingsError if this is not a way to select, whatever the picture shows."""
    if select is not None and not isinstance(select, Integral) and select not in ("best", "all", *SELECTORS):
        ways = ", ".join(SELECTORS)
        raise SettingsError(f"There is no way to select {select!r}: choose best, all, an index, or one of {ways}.")
