"""Measures of whole sets of pictures: the edits of a run against the pictures that they were made from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import SettingsError, WeightsError
from ..images import write_text
from ..models import Models, load_models
from .distances import clip_features_of, cmmd, distance_caption, frechet_distance, inception_features, kid
from .manifest import read_manifest
from .rows import read_rows
from .sets import open_set

FILE = "distances.json"
INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # torch-fidelity's, where it keeps them
LEAST = 10  # pictures under which a distance of sets is not worth printing


def set_measures(folder: Path | str, models: Models | None = None) -> dict[str, dict[str, Any]]:
    """For each task, and for "all": `frechet_clip`, `kid_clip`, `cmmd_clip`, where it is at hand `fid`, and `captions`.

    The edits that came back against their own originals (paired, which makes every distance small), over the features
    of the CLIP that the run used. They are computed once and kept in distances.json, and anew where `fid` is lacking and is
    at hand now; tasks with fewer than 10 edits are left out. Raises SettingsError for a folder without a run.
    Taught in notebook 06.
    """
    folder = Path(folder)
    keys = {row["key"]: row["task"] for row in read_rows(folder) if row["returned"]}
    path = folder / FILE
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        lacking = _inception_weights() and any("fid" not in task for task in kept["tasks"].values())
        if kept["edits"] == len(keys) and not lacking:
            return kept["tasks"]
    manifest = read_manifest(folder)
    groups = {task: [key for key in keys if keys[key] == task] for task in manifest["settings"]["tasks"]} | {"all": list(keys)}
    groups = {name: some for name, some in groups.items() if len(some) >= LEAST}
    found: dict[str, dict[str, Any]] = {}
    if groups:
        models = models or load_models(manifest["settings"]["weights"])
        edits = dict(zip(keys, clip_features_of((folder / "edits" / f"{key}.png" for key in keys), models)))
        before = dict(zip(keys, clip_features_of(originals(folder, list(keys)), models)))
        more = _inception(folder, list(keys))
        for name, some in groups.items():
            pair = [[features[key] for key in some] for features in (edits, before)]
            found[name] = _distances(*pair, features=f"CLIP {manifest['settings']['weights']}")
            if more:
                fid = frechet_distance(*[[features[key] for key in some] for features in more])
                caption = distance_caption("FID", "Inception", 2048, (len(some), len(some)), True, "the originals")
                found[name] |= {"fid": fid}
                found[name]["captions"]["fid"] = caption
    write_text(path, json.dumps({"edits": len(keys), "tasks": found}, indent=2) + "\n")
    return found


def originals(folder: Path | str, keys: list[str]) -> Iterator[Image.Image]:
    """The pictures that the edits of a run were made from, one at a time; raises SettingsError where the set has gone."""
    manifest = read_manifest(folder)
    source = open_set(manifest["source"], manifest["settings"]["seed"], fetch=False)
    if source.sha256 != manifest["settings"]["data_sha256"]:
        raise SettingsError(f"The set {manifest['source']} is not the one that {folder} was made with: put the old one back.")
    ids = {row["key"]: row["image_id"] for row in read_rows(folder)}
    return (source.open(source.picture(ids[key])) for key in keys)


def _distances(edits, before, features: str) -> dict[str, Any]:
    import numpy as np

    edits, before = np.stack(edits), np.stack(before)
    mean, deviation = kid(edits, before)
    values = {
        "frechet_clip": frechet_distance(edits, before), "kid_clip": mean, "kid_clip_deviation": deviation,
        "cmmd_clip": cmmd(edits, before), "n": len(edits),
    }  # fmt: skip
    names = {"frechet_clip": "Frechet distance", "kid_clip": "KID", "cmmd_clip": "CMMD"}
    captions = {
        key: distance_caption(name, features, edits.shape[1], (len(edits), len(before)), True, "the originals")
        for key, name in names.items()
    }
    return values | {"captions": captions}


def _inception_weights() -> Path | None:
    """The weights of Inception, or None where they or torch-fidelity, whose network it is, are not at hand: nothing is fetched."""
    import torch

    weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS
    return weights if weights.is_file() and find_spec("torch_fidelity") else None


def _inception(folder: Path, keys: list[str]):
    """Inception's features of edits and originals by key, or None where its network is not at hand."""
    weights = _inception_weights()
    if weights is None:
        return None
    with contextlib.suppress(WeightsError):
        edits = (folder / "edits" / f"{key}.png" for key in keys)
        return [dict(zip(keys, inception_features(some, weights))) for some in (edits, originals(folder, keys))]
    return None
