"""Measures stage 2 on unseen scenes: how often it chooses the object that words mean, by kind of words and by way to match."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..detect import detect_batch
from ..errors import SettingsError
from ..evaluation.expressions import KINDS, expressions
from ..evaluation.verdict import hits
from ..match import MATCHES, Match, candidate_features, match_features
from ..prompt import parse
from ..world.scenes import boxes, make_scene, render
from .score_editor import interval

# Column of the table -> what CLIP looks at, and whether relations and counting are taken into account.
WAYS = {"crop, no relations": ("crop", False), "crop": ("crop", True), "patches": ("patches", True)}
BATCH = 25  # scenes


def score_matching(models: Any, count: int = 1000, seed: int = 0, progress: bool = True) -> dict[str, Any]:
    """Target choice on the expressions of the first `count` test scenes of a seed (`evaluation.expressions`), 0 to 1.

    Returns `kinds`: for each of KINDS and "all", the number of `expressions`, the share of right objects under each of WAYS
    (a box that `hits` the meant object's; where the editor would ask which of several, the best one is taken), and
    `intervals`, 95 %, bootstrap. `asks`: for each way, the share of all expressions for which the editor would ask.
    `right_unasked`: the share for which it would choose without asking, and rightly.
    Raises SettingsError for a count under 1. Taught in notebook 07.
    """
    from tqdm import tqdm

    if count < 1:
        raise SettingsError(f"{count} scenes cannot be scored: give --count 1 or more.")
    rows: list[dict[str, Any]] = []
    with tqdm(total=count, desc="scoring the matching", unit="scene", disable=not progress) as bar:
        for start in range(0, count, BATCH):
            scenes = [make_scene(index, "test", seed) for index in range(start, min(start + BATCH, count))]
            images = [render(scene) for scene in scenes]
            found = detect_batch(images, models.detr, models.detr_processor)
            for scene, image, detections in zip(scenes, images, found):
                rows += _rows(scene, image, detections, models, seed)
            bar.update(len(scenes))
    return summary(rows)


def _rows(scene, image, detections, models, seed: int) -> list[dict[str, Any]]:
    """What each way chooses for each expression of one scene; CLIP looks only once for each of MATCHES."""
    asked = expressions(scene, seed)
    if not asked:
        return []
    some = len(detections.labels) > 0
    features = {by: candidate_features(image, detections.boxes, models, by) if some else None for by in MATCHES}
    truth, rows = boxes(scene), []
    for one in asked:
        row: dict[str, Any] = {"kind": one.kind, "words": one.words, "scene": scene.index, "object": one.index}
        for way, (by, relations) in WAYS.items():
            chosen = match_features(features[by], detections, parse(one.prompt), models, relations=relations)
            index = best_of(chosen)
            box = chosen.candidates[index].box if index is not None else None
            row[way] = {"right": hits(box, truth, one.index), "status": chosen.status, "index": index}
        rows.append(row)
    return rows


def best_of(chosen: Match) -> int | None:
    """The chosen candidate, or the best of those that the editor would ask about; None where none fits."""
    if chosen.status != "ambiguous":
        return chosen.index
    return max((i for i, one in enumerate(chosen.candidates) if one.fits), key=lambda i: chosen.candidates[i].score)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of `score_matching`, computed from its rows."""
    kinds = {}
    for kind in (*KINDS, "all"):
        some = [row for row in rows if kind in (row["kind"], "all")]
        right = {way: [row[way]["right"] for row in some] for way in WAYS} if some else {}
        kinds[kind] = {
            "expressions": len(some), **{way: round(float(np.mean(values)), 4) for way, values in right.items()},
            "intervals": {way: interval(values) for way, values in right.items()},
        }  # fmt: skip
    asks = {way: [row[way]["status"] == "ambiguous" for row in rows] for way in WAYS}
    unasked = {way: [row[way]["right"] and row[way]["status"] == "found" for row in rows] for way in WAYS}
    shares = [{way: round(float(np.mean(values)), 4) if values else None for way, values in one.items()} for one in (asks, unasked)]
    return {"kinds": kinds, "asks": shares[0], "right_unasked": shares[1]}


def as_table(figures: dict[str, Any]) -> str:
    """The figures of `score_matching` as a plain-text table, with intervals. Taught in notebook 07."""
    lines = ["".join([f"{'':12}{'expressions':>12}", *(f"{way:>26}" for way in WAYS)])]
    for kind, row in figures["kinds"].items():
        cells = [f"{row[way]:.1%} ({row['intervals'][way][0]:.1%} to {row['intervals'][way][1]:.1%})" if way in row else "" for way in WAYS]
        lines.append("".join([f"{kind:12}{row['expressions']:>12}", *(f"{cell:>26}" for cell in cells)]))
    for name, title in (("asks", "it asks"), ("right_unasked", "right, unasked")):
        cells = ["" if value is None else f"{value:.1%}" for value in figures[name].values()]
        lines.append("".join([f"{title:24}", *(f"{cell:>26}" for cell in cells)]))
    return "\n".join(lines)
