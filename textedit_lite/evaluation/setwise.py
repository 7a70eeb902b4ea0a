"""Measures of whole sets of pictures: the edits of a run against the pictures that they were made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import SettingsError, TextEditError
from ..images import write_text
from ..models import Models, best_device, check_device, load_clip
from .distances import clip_features_of, cmmd, distance_caption, frechet_distance, inception_features, kid
from .editors import trouble_named
from .fetch import inception_file
from .manifest import read_manifest
from .rows import DISTANCES, edit_file, read_rows
from .sets import Folder, World, open_set

LEAST = 10  # with fewer pictures a distance of sets is not worth printing

Load = Callable[[str, str], Models]  # loads a CLIP alone, by weights and device


def set_measures(folder: Path | str, models: Models | None = None, load: Load = load_clip) -> dict[str, dict[str, Any]]:
    """For each task, and for "all": `frechet_clip`, `kid_clip`, `cmmd_clip`, `captions`, and `fid` where its network is there.

    The edits that came back are compared with their own originals (paired, which makes every distance small), over the
    features of the CLIP that the run used. The distances are computed once and kept in distances.json; a lacking `fid` is
    added once its network is there. Tasks with fewer than 10 edits are left out. models: those of the run; without them
    `load` gets its CLIP. Raises SettingsError for a folder without a run. Taught in notebook 06.
    """
    folder = Path(folder)
    settings = read_manifest(folder)["settings"]
    tasks = {row["key"]: row["task"] for row in read_rows(folder) if row["returned"]}
    groups = {name: [key for key in tasks if tasks[key] == name] for name in settings["tasks"]} | {"all": list(tasks)}
    groups = {name: keys for name, keys in groups.items() if len(keys) >= LEAST}
    device = models.device if models else _device(settings["device"])
    path, found = folder / DISTANCES, {}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"edits": None}
    if kept["edits"] == len(tasks):
        found = kept["tasks"]
    else:
        if groups:
            models = models or load(settings["weights"], device)
            pair = [dict(zip(tasks, clip_features_of(some, models))) for some in _both(folder, tasks, "CLIP")]
            found = {name: _distances(*_of(pair, keys), features=f"CLIP {settings['weights']}") for name, keys in groups.items()}
        _keep(path, len(tasks), found)
    if any("fid" not in task for task in found.values()) and _inception_weights():
        _add_fid(folder, groups, found, device)
        _keep(path, len(tasks), found)
    return found


def _add_fid(folder: Path, groups: dict[str, list[str]], found: dict[str, dict[str, Any]], device: str) -> None:
    """Add `fid` to the distances of each task, and its caption; where it cannot be computed, the caption says why."""
    try:
        with trouble_named():
            keys, weights = groups["all"], _inception_weights()
            pair = [dict(zip(keys, inception_features(some, weights, device))) for some in _both(folder, keys, "Inception")]
    except TextEditError as error:
        for task in found.values():
            task["captions"]["fid"] = str(error)
        return
    for name, task in found.items():
        edits, before = _of(pair, groups[name])
        task["fid"] = frechet_distance(edits, before)
        task["captions"]["fid"] = distance_caption("FID", "Inception", 2048, (len(edits), len(before)), True, "the originals")


def _device(asked: str) -> str:
    """The device that a run was made on, where this machine has it, else the best that it has."""
    try:
        return check_device(asked)
    except SettingsError:
        return best_device()


def _both(folder: Path, keys: Collection[str], what: str) -> Iterator[Iterable]:
    """The edits and the originals of a run, each as a stream under a progress bar."""
    from tqdm import tqdm

    for some in ((edit_file(folder, key) for key in keys), originals(folder, list(keys))):
        yield tqdm(some, desc=what, total=len(keys), unit="picture", leave=False, disable=None)


def _of(pair: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[np.ndarray]:
    """The features of these keys, of edits and originals, each [N, D]."""
    return [np.stack([features[key] for key in keys]) for features in pair]


def _keep(path: Path, edits: int, found: dict[str, dict[str, Any]]) -> None:
    write_text(path, json.dumps({"edits": edits, "tasks": found}, indent=2) + "\n")


def originals(folder: Path | str, keys: list[str]) -> Iterator[Image.Image]:
    """The pictures that the edits of a run were made from, one at a time; raises SettingsError where the set has gone."""
    source = set_of(folder)
    ids = {row["key"]: row["image_id"] for row in read_rows(folder)}
    return (source.open(source.picture(ids[key])) for key in keys)


def set_of(folder: Path | str) -> Folder | World:
    """The set that a run was made on; raises SettingsError where it is gone or has changed."""
    manifest = read_manifest(folder)
    source = open_set(manifest["source"], manifest["settings"]["seed"], fetch=False)
    if source.sha256 != manifest["settings"]["data_sha256"]:
        raise SettingsError(f"The set {manifest['source']} is not the one that {folder} was made with: put the old one back.")
    return source


def _distances(edits: np.ndarray, before: np.ndarray, features: str) -> dict[str, Any]:
    mean, deviation = kid(edits, before, paired=True)
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
    """The weights of Inception, or None where they or torch-fidelity, which holds the network, are not there; fetches nothing."""
    weights = inception_file()
    return weights if weights.is_file() and find_spec("torch_fidelity") else None
