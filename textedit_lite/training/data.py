"""Draws what the lite models are trained on, once, into folders that trainers can share, even at the same time."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..world.scenes import make_scene, mask_box, render, visible_masks
from .files import whole

PART = 500  # scenes per file: what is lost, at most, when the drawing is stopped


@dataclass(frozen=True)
class Labelled:
    """One object of a drawn scene: its visible box (xyxy pixels), its attributes, and the share of its box that none hides."""

    box: tuple[float, float, float, float]
    category: str
    colour: str
    view: str
    pose: str
    visible_fraction: float


@dataclass(frozen=True)
class SceneCache:
    """Drawn scenes: `images` uint8 [N, size, size, 3] in memory, `objects` one list of `Labelled` per scene."""

    images: np.ndarray
    objects: list[list[Labelled]]


def label(scene) -> list[Labelled]:
    """The ground truth for every object of a scene that is visible at all. Taught in notebook 09."""
    masks = visible_masks(scene)
    found = []
    for i, thing in enumerate(scene.objects):
        if masks[i].any():
            box = mask_box(masks[i])
            x0, y0, x1, y1 = map(int, box)
            fraction = 1 - float(masks[i + 1 :, y0:y1, x0:x1].any(0).mean())
            found.append(Labelled(box, thing.category, thing.colour, thing.view, thing.pose, round(fraction, 3)))
    return found


def _draw_part(job: tuple[Path, str, int, int, int, int]) -> None:
    folder, split, seed, size, start, stop = job
    path = folder / f"part-{start:06d}.npy"
    if path.exists():
        return
    images = np.empty((stop - start, size, size, 3), np.uint8)
    labels = []
    for row, index in enumerate(range(start, stop)):
        scene = make_scene(index, split, seed, size)
        images[row] = np.asarray(render(scene))
        labels.append([[*thing.box, thing.category, thing.colour, thing.view, thing.pose, thing.visible_fraction]
                       for thing in label(scene)])
    with whole(path.with_suffix(".json")) as half:  # written first, as a part counts as drawn when its pictures are there
        half.write_text(json.dumps(labels), encoding="utf-8")
    with whole(path) as half:
        np.save(half, images)


def scene_cache(folder: Path | str, split: str, count: int, seed: int = 0, size: int = 256) -> SceneCache:
    """Draw `count` scenes into `folder` (parts that are there already are kept) and open them.

    The images are stacked in memory: 196 kB for a scene of 256x256.
    """
    folder = Path(folder) / f"{split}-{seed}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(folder, split, seed, size, start, start + PART) for start in range(0, count, PART)]
    missing = [job for job in jobs if not (folder / f"part-{job[4]:06d}.npy").exists()]
    draw_parts(_draw_part, missing, f"drawing {split} scenes")
    images, objects = [], []
    for job in jobs:
        path = folder / f"part-{job[4]:06d}.npy"
        images.append(np.load(path, mmap_mode="r"))
        objects += [[Labelled(tuple(row[:4]), *row[4:]) for row in rows] for rows in json.loads(path.with_suffix(".json").read_text())]
    return SceneCache(np.concatenate(images)[:count], objects[:count])


def sample_files(draw_part: Callable, folder: Path | str, kind: str, part: int, count: int, seed: int) -> list[Path]:
    """Draw at least `count` samples of a kind into `folder`, `part` to a file, by draw_part((path, number, seed)).

    Files that are there already are kept. Their names begin with the kind, so that other kinds can lie beside them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{kind}-{seed}-{number:03d}.npz" for number in range(-(-count // part))]
    draw_parts(draw_part, [(path, number, seed) for number, path in enumerate(paths) if not path.exists()], f"drawing {kind} samples")
    return paths


def draw_parts(draw_part: Callable, jobs: Sequence, what: str) -> None:
    """Call draw_part(job) for all jobs, in as many processes as this one may use processors, with a progress bar."""
    from tqdm import tqdm

    if not jobs:
        return
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(min(len(jobs), there)) as pool:
        for _ in tqdm(pool.imap(draw_part, jobs), total=len(jobs), desc=what, unit="part"):
            pass
