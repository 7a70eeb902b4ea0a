"""Reads the pictures to edit: a COCO folder, val2017 in the cache, or the small world's test scenes, all as the same records."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError, SettingsError
from ..images import open_image
from ..vocabulary import COCO_IDS
from ..world.coco import annotations
from ..world.scenes import Scene, make_scene, render
from ..world.sprites import CATEGORIES

REMEMBERED = 64  # pictures of the world that are kept


@dataclass(frozen=True)
class Thing:
    """One annotated object: its COCO annotation id, category, box (xyxy, pixels), area, and what else the set knows."""

    id: int
    category: str
    box: tuple[float, float, float, float]
    area: float
    crowd: bool
    segmentation: Any = field(hash=False, compare=False, repr=False)
    attributes: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def colour(self) -> str | None:
        return self.attributes.get("colour")


@dataclass(frozen=True)
class Picture:
    """One picture of a set with its objects, crowds included, in the order of the annotations."""

    id: int
    file_name: str
    width: int
    height: int
    objects: tuple[Thing, ...]


class Folder:
    """A COCO-format folder: `images/` and `instances.json`, or as COCO ships them, `val2017/` and `annotations/instances_val2017.json`.

    Any other name may stand in place of val2017; if a folder holds several sets, val2017 is taken.
    A folder that `textedit-lite scenes` wrote says in recipe.json how it was made, so its scenes are known.
    Raises SettingsError for any other folder. Taught in notebook 06.
    """

    def __init__(self, folder: Path | str):
        self.path = Path(folder)
        self.name = self.path.resolve().name
        annotated, self._images = _places(self.path)
        try:
            text = annotated.read_bytes()
            self.pictures = _pictures(json.loads(text))
            recipe = self.path / "recipe.json"
            self._recipe = json.loads(recipe.read_text(encoding="utf-8")) if recipe.is_file() else None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SettingsError(f"The annotations in {self.path} are no COCO instances ({error!r}): write them again.") from error
        self.sha256 = hashlib.sha256(text).hexdigest()

    def order(self, seed: int) -> Iterator[int]:
        """Ids of all pictures, in an order that the seed decides."""
        ids = sorted(self.pictures)
        return (ids[i] for i in np.random.default_rng(seed).permutation(len(ids)))

    def picture(self, picture_id: int) -> Picture:
        return self.pictures[picture_id]

    def open(self, picture: Picture) -> Image.Image:
        """The pixels, RGB; raises ImageError, also where their size is not the one that the annotations say."""
        path, size = self._images / picture.file_name, (picture.width, picture.height)
        image = open_image(path)
        if image.size != size and image.size[::-1] == size:  # annotated as stored, not as EXIF says to show it
            image = open_image(path, upright=False)
        if image.size != size:
            raise ImageError(f"{picture.file_name} is {image.width}x{image.height} pixels, its annotation says "
                                f"{picture.width}x{picture.height}: fetch the picture again.")  # fmt: skip
        return image

    def scene(self, picture: Picture) -> Scene | None:
        """The scene that the picture was drawn from if the set is of the small world, else None."""
        if self._recipe is None:
            return None
        try:
            scene = make_scene(picture.id - 1, self._recipe["split"], self._recipe["seed"], tuple(self._recipe["size"]))
            drawn = [scene.objects[thing.attributes["order"]] for thing in picture.objects]
        except (LookupError, TypeError, ValueError):
            drawn = []
        if [(thing.category, thing.colour) for thing in picture.objects] != [(thing.category, thing.colour) for thing in drawn]:
            raise SettingsError(f"{self.path} was drawn by another version: draw it again with `textedit-lite scenes`.")
        return scene


class World:
    """The test scenes of a seed, made when they are asked for, with the same interface as `Folder`. Taught in notebook 06."""

    name = "world"

    def __init__(self, seed: int):
        self.seed = seed
        self._known: OrderedDict[int, tuple[Scene, Picture]] = OrderedDict()
        first = self.open(self.picture(1))  # if the world is drawn differently, it is another set
        self.sha256 = hashlib.sha256(f"test scenes of seed {seed}".encode() + first.tobytes()).hexdigest()

    def order(self, seed: int) -> Iterator[int]:
        """1, 2, 3, ...: scenes are random as they are, and never run out."""
        return itertools.count(1)

    def picture(self, picture_id: int) -> Picture:
        return self._made(picture_id)[1]

    def open(self, picture: Picture) -> Image.Image:
        return render(self.scene(picture))

    def scene(self, picture: Picture) -> Scene:
        return self._made(picture.id)[0]

    def _made(self, picture_id: int) -> tuple[Scene, Picture]:
        if picture_id not in self._known:
            scene = make_scene(picture_id - 1, "test", self.seed)
            record = {"id": picture_id, "file_name": f"{picture_id:012d}.png", "width": scene.width, "height": scene.height}
            names = {COCO_IDS[name]: name for name in CATEGORIES}
            self._known[picture_id] = scene, _picture(record, annotations(scene, picture_id, 100 * picture_id), names)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[picture_id]


def open_set(data: str, seed: int = 0, yes: bool = False, fetch: bool = True) -> Folder | World:
    """The set that `--data` names: "world" (its test scenes of `seed`), "coco" (val2017, fetched if need be), or a folder.

    yes: fetch without asking; fetch: whether to fetch at all. Raises SettingsError for what is no set. Taught in notebook 06.
    """
    if data == "world":
        return World(seed)
    if data == "coco":
        from .fetch import coco_folder

        return Folder(coco_folder(yes, fetch))
    return Folder(data)


def object_mask(picture: Picture, thing: Thing) -> np.ndarray:
    """The annotated pixels of one object: bool [height, width]; polygons, RLE and compressed RLE are read alike.

    For an object that has none, as in sets made only for detectors, the pixels of its box. Raises ImageError for an outline
    that cannot be read, or that belongs to a picture of another size.
    """
    from pycocotools import mask as coco_mask

    height, width, given = picture.height, picture.width, thing.segmentation
    if isinstance(given, list):  # only three points or more enclose something
        given = [polygon for polygon in given if isinstance(polygon, list) and len(polygon) >= 6]
    if not given:
        x0, y0, x1, y1 = thing.box
        given = [[x0, y0, x1, y0, x1, y1, x0, y1]]
    try:
        if isinstance(given, list):
            given = coco_mask.merge(coco_mask.frPyObjects(given, height, width))
        elif isinstance(given["counts"], list):
            given = coco_mask.frPyObjects(given, height, width)
        if list(given["size"]) != [height, width]:
            raise ValueError(f"of {given['size']} pixels, not {[height, width]}")
        return coco_mask.decode(given).astype(bool)
    except Exception as error:  # pycocotools raises all kinds of errors, even plain Exception
        raise ImageError(f"The outline of object {thing.id} of {picture.file_name} cannot be read ({error}): annotate it "
                         "again.") from error  # fmt: skip


# --- records -----------------------------------------------------------------------------------------------------


def _places(folder: Path) -> tuple[Path, Path]:
    """The file of annotations and the folder of pictures of a COCO set; raises SettingsError where there are none."""
    found = {file.stem.removeprefix("instances_"): file for file in sorted(folder.glob("annotations/instances_*.json"))}
    pairs = {name: (file, folder / name) for name, file in found.items()} | {"images": (folder / "instances.json", folder / "images")}
    pairs = {name: pair for name, pair in pairs.items() if pair[0].is_file() and pair[1].is_dir()}
    if not pairs:
        raise SettingsError(f"{folder} is no COCO set: give a folder with images/ and instances.json, or world, or coco.")
    name = next((name for name in ("images", "val2017") if name in pairs), min(pairs))
    return pairs[name]


def _pictures(instances: dict) -> dict[int, Picture]:
    names = {row["id"]: row["name"] for row in instances["categories"]}
    rows: dict[int, list[dict]] = {}
    for row in instances["annotations"]:
        rows.setdefault(row["image_id"], []).append(row)
    return {image["id"]: _picture(image, rows.get(image["id"], []), names) for image in instances["images"]}


def _picture(image: dict, rows: list[dict], names: dict[int, str]) -> Picture:
    things = []
    for row in rows:
        x, y, w, h = map(float, row["bbox"])
        attributes = row.get("attributes")
        things.append(
            Thing(
                row["id"], names[row["category_id"]], (x, y, x + w, y + h), float(row.get("area", w * h)), bool(row.get("iscrowd")),
                row.get("segmentation"), attributes if isinstance(attributes, dict) else {},
            )
        )  # fmt: skip
    return Picture(index(image["id"]), image["file_name"], index(image["width"]), index(image["height"]), tuple(things))
