"""Stage 2: CLIP picks, among the boxes, the one that the words mean, and reads what an object shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral

import numpy as np
from PIL import Image

from .boxes import square_crop
from .errors import SettingsError
from .prompt import SELECTORS
from .vocabulary import COLOURS, POSES, VIEWS, article, describe

FUSION = 0.6  # weight of CLIP in the fused score; the rest is DETR's
DOUBT = 0.05  # what is left of DETR's score where its label is another category than the one asked for
FITS = 0.5  # an asked attribute must have at least this share of the likeliest alternative's probability
AMBIGUOUS = 0.15  # two fitting candidates whose scores lie closer are a question, not an answer
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


# --- reading -----------------------------------------------------------------------------------------------------


def read_attributes(crops: Sequence[Image.Image], categories: Sequence[str], models) -> list[Reading]:
    """What CLIP reads on objects of known categories: colour, view and pose, out of all combinations.

    p(colour, view, pose) = softmax over the captions `describe(category, colour, view, pose)`; an attribute's own
    probability is the sum over the others. Crops: as `square_crop` cuts them. Taught in notebook 02.
    """
    if not crops:
        return []
    features = image_features(crops, models)
    combinations = list(product(*ATTRIBUTES.values()))
    readings: list[Reading] = []
    for row, category in zip(features, categories):
        joint = contrast(row[None], [describe(category, *words) for words in combinations], models)[0]
        tables = {name: {value: float(sum(p for words, p in zip(combinations, joint) if words[i] == value)) for value in values}
                  for i, (name, values) in enumerate(ATTRIBUTES.items())}
        readings.append(Reading(tables, dict(zip(combinations, joint.tolist()))))
    return readings


def read_categories(crops: Sequence[Image.Image], categories: Sequence[str], models) -> np.ndarray:
    """Probability of each category for each crop: float32 [N, categories]. Taught in notebook 02."""
    return contrast(image_features(crops, models), [f"{article(name)} {name}" for name in categories], models)


# --- choosing ----------------------------------------------------------------------------------------------------


def fuse(clip_score: float, detr_score: float, weight: float = FUSION) -> float:
    """The fused score s = clip^w detr^(1 - w): a weighted geometric mean, so that neither model can outvote a flat no.

    clip_score, detr_score: probabilities. Paper, stage 2: fusion of similarity and confidence. Taught in notebook 02.
    """
    return float(clip_score**weight * detr_score ** (1 - weight))


def match(
    image: Image.Image, detections, prompt, models, select: str | int | None = None, weight: float = FUSION
) -> Match:
    """Choose the object that a prompt means: CLIP looks at the crops of all detections in ONE batch.

    A candidate's CLIP score is the probability that its crop is the asked category (against the detector's other
    ones), times that of each asked attribute (against the attribute's other values: a blue bus is no "red bus"). It
    is fused with DETR's score (`fuse`); among those that fit, a selector ("left", "largest") decides on the boxes,
    else the best score, unless the two best are within 0.15 of each other ("ambiguous").

    select: "best" (never ambiguous; nor is "all", whose best one is the index), a selector, or the index of a candidate;
    None leaves it to the prompt. weight: of CLIP in the fused score; 1 is CLIP alone, 0 is DETR alone.
    Raises SettingsError for an index that no candidate has. Taught in notebook 02.
    """
    count = len(detections.labels)
    if not count:
        return choose((), select if select is not None else prompt.selector)
    noun = prompt.category or prompt.noun
    categories = list(dict.fromkeys([noun, *models.categories]))
    crops = [square_crop(image, box) for box in detections.boxes]
    features = image_features(crops, models)
    noun_table = contrast(features, [f"{article(name)} {name}" for name in categories], models)
    share = noun_table[:, 0].copy()
    labelled = np.array([label == noun for label in detections.labels])
    fits = (labelled if noun in models.categories else share >= FITS * noun_table.max(1)).copy()
    for name, values in ATTRIBUTES.items():
        asked = getattr(prompt, name)
        if asked is None:
            continue
        values = list(dict.fromkeys([asked, *values]))
        table = contrast(features, [describe(noun, **{name: value}) for value in values], models)
        share *= table[:, 0]
        fits &= table[:, 0] >= FITS * table.max(1)
    doubted = np.where(labelled | (noun not in models.categories), 1.0, DOUBT) * detections.scores
    scores = [fuse(c, d, weight) for c, d in zip(share, doubted)]
    candidates = tuple(
        Candidate(tuple(float(v) for v in box), label, float(detr), float(clip), score, bool(fit))
        for box, label, detr, clip, score, fit in zip(detections.boxes, detections.labels, detections.scores, share, scores, fits)
    )
    return choose(candidates, select if select is not None else prompt.selector)


def choose(candidates: Sequence[Candidate], select: str | int | None = None) -> Match:
    """The last step of `match`: pick among scored candidates. Taught in notebook 02."""
    candidates = tuple(candidates)
    check_select(select)
    if isinstance(select, Integral) and candidates:
        if not 0 <= select < len(candidates):
            raise SettingsError(f"There is no candidate {select}: choose from 0 to {len(candidates) - 1}.")
        return Match(candidates, int(select), "found", 0.0)
    scores = np.array([candidate.score for candidate in candidates])
    fits = np.array([candidate.fits for candidate in candidates], bool)
    index, status, margin = verdict(scores, fits, AMBIGUOUS if select is None else 0.0)
    if select in SELECTORS and index is not None:
        fitting = sorted(np.flatnonzero(fits).tolist(), key=lambda i: -scores[i])
        index = fitting[pick(np.array([candidates[i].box for i in fitting], np.float32), select)]
    return Match(candidates, index, status, margin)


def verdict(scores: np.ndarray, fits: np.ndarray, bar: float = AMBIGUOUS) -> tuple[int | None, str, float]:
    """Which of N scored candidates is meant, and whether that is clear: (index or None, status, margin).

    scores: [N]; fits: bool [N]. Only those that fit count. The margin is the best one's score minus the second best's
    (or minus 0 where there is none). Without any that fits the status is "not_found" and the margin 0; with two or more
    closer than `bar` it is "ambiguous"; else "found", and then alone there is an index. Taught in notebook 02.
    """
    fitting = sorted((i for i, fit in enumerate(fits) if fit), key=lambda i: -scores[i])
    if not fitting:
        return None, "not_found", 0.0
    margin = float(scores[fitting[0]] - (scores[fitting[1]] if len(fitting) > 1 else 0.0))
    if len(fitting) > 1 and margin < bar:
        return None, "ambiguous", margin
    return fitting[0], "found", margin


def pick(boxes: np.ndarray, selector: str) -> int:
    """The index of the box that a selector, one of SELECTORS, means: float32 [N, 4] -> 0 .. N - 1.

    Places are those of the boxes' centres, sizes their areas. Of two that tie, the first. Taught in notebook 02.
    """
    return min(range(len(boxes)), key=lambda i: _place(boxes[i], selector))


def check_select(select: str | int | None) -> None:
    """Raises SettingsError for what is no way to select, whatever the picture shows."""
    if select is not None and not isinstance(select, Integral) and select not in ("best", "all", *SELECTORS):
        ways = ", ".join(SELECTORS)
        raise SettingsError(f"There is no way to select {select!r}: choose best, all, an index, or one of {ways}.")


def _place(box: Sequence[float], selector: str) -> float:
    """A number that is smallest for the box that a selector means."""
    x0, y0, x1, y1 = box
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1),
                "largest": -(x1 - x0) * (y1 - y0), "smallest": (x1 - x0) * (y1 - y0)}  # fmt: skip
    return measures[selector]
