"""Chooses what is edited: which object of which picture, and what it is to show, as a pure function of the seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..errors import ImageError, SettingsError
from ..prompt import task_prompt
from ..vocabulary import COLOURS, TASKS
from ..world.oracle import palette_shares
from ..world.scenes import Scene, full_mask, make_scene, mask_box, visible_masks
from .sets import Folder, Picture, Thing, World, object_mask

VISIBLE = 0.7  # share of an object's pixels that must show for it to be edited
SMALLEST, LARGEST = 0.02, 0.6  # area of an object, as a share of the picture's
BORDER = 1.0  # pixels that a box must keep from the border, as annotations are cut to a fraction of one
SHOWN = 0.15  # an object has a colour if at least this share of its pixels show it; it is then not asked to take that colour
LOOKED_AT = 5000  # pictures of the endless world that are looked at, at most, for each edit that is asked for


@dataclass(frozen=True)
class Case:
    """One edit to make: object `index` of a picture is to show `change`, as `prompt` says; `seed` is the painter's.

    key: unique in a run, and the name of the edited picture; object_id: the annotation's.
    """

    key: str
    task: str
    image_id: int
    object_id: int
    index: int
    category: str
    change: dict[str, str] = field(hash=False)
    prompt: str
    seed: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# --- what can be asked -------------------------------------------------------------------------------------------


def targets(scene: Scene, task: str) -> list[int]:
    """The objects of a scene that an edit of `task` can be judged on.

    At least 70 % of such an object shows, the border does not cut it, and it does not already show what the task asks.
    Raises SettingsError for an unknown task. Taught in notebook 05.
    """
    check_tasks([task])
    attribute, value = TASKS[task]
    visible = visible_masks(scene)
    found = []
    for i, thing in enumerate(scene.objects):
        full = full_mask(scene, i)
        x0, y0, x1, y1 = mask_box(full)
        inside = 0 < x0 and 0 < y0 and x1 < scene.width and y1 < scene.height
        if inside and visible[i].sum() >= VISIBLE * full.sum() and getattr(thing, attribute) != value:
            found.append(i)
    return found


def asked_change(task: str, thing, rng: np.random.Generator, shown: Sequence[str] = ()) -> dict[str, str]:
    """What an edit of `task` asks of an object: attribute -> value; COLOR asks for any colour but its own, by lot.

    shown: further colours that the object has, and that must not be asked for.
    """
    attribute, value = TASKS[task]
    free = [colour for colour in COLOURS if colour != thing.colour and colour not in shown]
    return {attribute: value or str(rng.choice(free))}


def naming(picture: Scene | Picture, index: int) -> tuple[str, str | None] | None:
    """(category, None) if an object is the only one of its category, (category, colour) if that tells it apart, else None."""
    thing = picture.objects[index]
    alike = [other for other in picture.objects if other.category == thing.category]
    if len(alike) == 1:
        return thing.category, None
    unique = thing.colour and sum(other.colour == thing.colour for other in alike) == 1
    return (thing.category, thing.colour) if unique and all(other.colour for other in alike) else None


def candidates(data: Folder | World, picture: Picture, task: str) -> list[int]:
    """The objects of a picture that `task` can be asked of, and that words can name.

    Such an object is no crowd, covers 2 to 60 % of the picture, is not cut by the border, and does not already show what
    the task asks, where the set knows it. Where the set knows the whole scene, the object must also be one of `targets`.
    Taught in notebook 06.
    """
    attribute, value = TASKS[task]
    found = []
    for i, thing in enumerate(picture.objects):
        x0, y0, x1, y1 = thing.box
        inside = min(x0, y0) >= BORDER and x1 <= picture.width - BORDER and y1 <= picture.height - BORDER
        sized = SMALLEST <= thing.area / (picture.width * picture.height) <= LARGEST
        shows = value is not None and thing.attributes.get(attribute) == value
        if inside and sized and not thing.crowd and not shows and naming(picture, i):
            found.append(i)
    scene = data.scene(picture) if found else None
    if scene is None:
        return found
    good = targets(scene, task)
    return [i for i in found if picture.objects[i].attributes["order"] in good]


def colours_of(data: Folder | World, picture: Picture, thing: Thing) -> list[str]:
    """The colours that an object has: what the set says, or each that at least 15 % of its pixels show."""
    if thing.colour:
        return [thing.colour]
    try:
        pixels, own = np.asarray(data.open(picture), np.float32) / 255, object_mask(picture, thing)
    except ImageError:  # the object is chosen all the same, and its edit will fail with that reason
        return []
    shares = palette_shares(pixels.transpose(2, 0, 1), own.astype(float))
    return [colour for colour, share in zip(COLOURS, shares) if share >= SHOWN]


# --- what is asked -----------------------------------------------------------------------------------------------


def check_tasks(tasks: Sequence[str]) -> None:
    """Raises SettingsError for an unknown task, one that comes twice, or no task at all."""
    for task in tasks:
        if task not in TASKS:
            raise SettingsError(f"There is no task {task!r}: choose one of {', '.join(TASKS)}.")
    if not tasks or len(set(tasks)) < len(tasks):
        raise SettingsError(f"Name each task once, as in --tasks {','.join(TASKS)}.")


def scene_edits(task: str, split: str, seed: int) -> Iterator[tuple[Scene, int, dict[str, str], str, np.random.Generator]]:
    """Yields, without end, one edit for each scene of a split that has an object for `task` that words can name.

    An edit is the scene, the object's index, what it is to show, the prompt, and the generator that chose by lot.
    """
    for number in itertools.count():
        scene = make_scene(number, split, seed)
        named = [i for i in targets(scene, task) if naming(scene, i)]
        if named:
            rng = np.random.default_rng([seed, number, list(TASKS).index(task)])
            index = int(rng.choice(named))
            category, colour = naming(scene, index)
            change = asked_change(task, scene.objects[index], rng)
            yield scene, index, change, task_prompt(task, category, change.get("colour"), colour), rng


def task_cases(data: Folder | World, task: str, count: int, seed: int) -> Iterator[Case]:
    """One edit in each picture that has an object for the task, in the set's order; the object is chosen by lot."""
    looked = data.order(seed)
    if isinstance(data, World):
        looked = itertools.islice(looked, LOOKED_AT * count)
    for image_id in looked:
        picture = data.picture(image_id)
        possible = candidates(data, picture, task)
        if not possible:
            continue
        rng = np.random.default_rng([seed, image_id, list(TASKS).index(task)])
        index = int(rng.choice(possible))
        thing = picture.objects[index]
        category, colour = naming(picture, index)
        change = asked_change(task, thing, rng, colours_of(data, picture, thing) if task == "color" else ())
        prompt = task_prompt(task, category, change.get("colour"), colour)
        yield Case(f"{task}-{image_id:012d}", task, image_id, thing.id, index, category, change, prompt, int(rng.integers(2**31)))


def choose_cases(data: Folder | World, tasks: Sequence[str], count: int, seed: int) -> list[Case]:
    """`count` edits of each task, the tasks in turn; fewer where the set runs out of pictures with an object for a task.

    The same set, tasks, count and seed give the same cases, and a smaller count gives the first of them.
    Raises SettingsError for a wrong task or count, or where the set has no case at all. Taught in notebook 06.
    """
    check_tasks(tasks)
    if count < 1 or not 0 <= seed < 2**31:
        raise SettingsError("Ask for at least 1 image and a seed from 0 on, as in --images 1000 --seed 0.")
    found = [itertools.islice(task_cases(data, task, count, seed), count) for task in tasks]
    todo = [case for some in itertools.zip_longest(*found) for case in some if case]
    if not todo:
        raise SettingsError(f"No picture of {data.name} holds an object that {', '.join(tasks)} can be asked of: give another set.")
    return todo
