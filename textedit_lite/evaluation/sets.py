"""Reads what is edited: a COCO folder, val2017 in the cache, or the small world's test scenes, all as the same records."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """A COCO-format folder: `images/` and `instances.json`, or `val2017/` and `annotations/` as COCO ships them.

    A folder that `textedit-lite scenes` wrote says in recipe.json how it was made: its scenes are known.
    Raises SettingsError for a folder that is none. Taught in notebook 06.
    """

    def __init__(self, folder: Path | str):
        self.path = Path(folder)
        self.name = self.path.resolve().name
        places = [("instances.json", "images"), ("annotations/instances_val2017.json", "val2017")]
        names = next((pair for pair in places if (self.path / pair[0]).is_file() and (self.path / pair[1]).is_dir()), None)
        if names is None:
            raise SettingsError(f"{self.path} is no COCO set: give a folder with images/ and instances.json, or world, or coco.")
        self._images = self.path / names[1]
        try:
            text = (self.path / names[0]).read_bytes()
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
        """The pixels, RGB; raises ImageError, also where they have another size than the annotations say."""
        image = open_image(self._images / picture.file_name)
        if image.size != (picture.width, picture.height):
            raise ImageError(f"{picture.file_name} is {image.width}x{image.height} pixels, its annotation says "
                                f"{picture.width}x{picture.height}: fetch the picture again.")  # fmt: skip
        return image

    def scene(self, picture: Picture) -> Scene | None:
        """The scene that the picture was drawn from, where the set is of the small world, else None."""
        if self._recipe is None:
            return None
        scene = make_scene(picture.id - 1, self._recipe["split"], self._recipe["seed"], tuple(self._recipe["size"]))
        drawn = [scene.objects[thing.attributes["order"]] for thing in picture.objects]
        if [(thing.category, thing.colour) for thing in picture.objects] != [(thing.category, thing.colour) for thing in drawn]:
            raise SettingsError(f"{self.path} was drawn by another version: draw it again with `textedit-lite scenes`.")
        return scene


class World:
    """The test scenes of a seed, made when they are asked for: the same face as `Folder`. Taught in notebook 06."""

    name = "world"

    def __init__(self, seed: int):
        self.seed = seed
        self.sha256 = hashlib.sha256(f"test scenes of seed {seed}".encode()).hexdigest()
        self._known: OrderedDict[int, tuple[Scene, Picture]] = OrderedDict()

    def order(self, seed: int) -> Iterator[int]:
        """1, 2, 3, ...: scenes are random as they are, and there is no end of them."""
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
    """What `--data` names: "world" (its test scenes of `seed`), "coco" (val2017, fetched if need be), or a folder.

    yes: fetch without asking; fetch: at all. Raises SettingsError for what is none. Taught in notebook 06.
    """
    if data == "world":
        return World(seed)
    if data == "coco":
        from .fetch import coco_folder

        return Folder(coco_folder(yes, fetch))
    return Folder(data)


def object_mask(picture: Picture, thing: Thing) -> np.ndarray:
    """The annotated pixels of one object: bool [height, width]; polygons, RLE and compressed RLE are read alike."""
    from pycocotools import mask as coco_mask

    given = thing.segmentation
    if isinstance(given, list):
        given = coco_mask.merge(coco_mask.frPyObjects(given, picture.height, picture.width))
    elif isinstance(given["counts"], list):
        given = coco_mask.frPyObjects(given, picture.height, picture.width)
    return coco_mask.decode(given).astype(bool)


# --- records -----------------------------------------------------------------------------------------------------


def _pictures(instances: dict) -> dict[int, Picture]:
    names = {row["id"]: row["name"] for row in instances["categories"]}
    rows: dict[int, list[dict]] = {}
    for row in instances["annotations"]:
        rows.setdefault(row["image_id"], []).append(row)
    return {image["id"]: _picture(image, rows.get(image["id"], []), names) for image in instances["images"]}


def _picture(image: dict, rows: list[dict], names: dict[int, str]) -> Picture:
    things = []
    for row in rows:
        x, y, w, h = row["bbox"]
        things.append(
            Thing(
                row["id"], names[row["category_id"]], (x, y, x + w, y + h), float(row["area"]), bool(row.get("iscrowd")),
                row["segmentation"], row.get("attributes") or {},
            )
        )  # fmt: skip
    return Picture(image["id"], image["file_name"], image["width"], image["height"], tuple(things))
